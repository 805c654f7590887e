// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/pause.h"

#include <fmt/format.h>
// sigaction() and clock_gettime() are POSIX, which <csignal> and <ctime> need not declare.
#include <signal.h>  // NOLINT(modernize-deprecated-headers)
#include <time.h>    // NOLINT(modernize-deprecated-headers)
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace xstack::xen {
namespace {

constexpr std::array kFaults = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};

/// What a handler needs to undo the pause. Set before the pause and cleared after it, by the one guard there is.
struct Paused {
  const Functions* call = nullptr;
  Interface* interface = nullptr;
  std::uint32_t domid = 0;
};
Paused paused;
std::atomic<bool> is_paused{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler uses it");

/// Undoes the pause once, however many ways lead here.
bool unpause_once() {
  if (!is_paused.exchange(false)) {
    return true;
  }
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (paused.call->domain_unpause(paused.interface, paused.domid) == 0) {
      return true;
    }
    if (errno == ESRCH) {
      return true;  // gone, and so is its pause
    }
  }
  return false;
}

void say_still_paused() {
  std::fprintf(stderr, "xstack: domain %u could not be unpaused (%s): xl unpause %u does it\n",
               static_cast<unsigned>(paused.domid), std::strerror(errno), static_cast<unsigned>(paused.domid));
}

/// A fault of our own. libxenctrl takes locks and memory, which a handler must not; but the program is lost anyway and
/// the guest is not. Should the call hang, SIGALRM ends it.
void on_fault(int signal) {
  struct sigaction dies {};
  dies.sa_handler = SIG_DFL;
  sigaction(SIGALRM, &dies, nullptr);
  sigset_t alarm_only;
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &alarm_only, nullptr);
  alarm(2);
  unpause_once();
  alarm(0);
  sigaction(signal, &dies, nullptr);
  raise(signal);  // is delivered once this handler returns
}

void at_exit() {
  if (!unpause_once()) {
    say_still_paused();
  }
}

std::uint64_t now_us() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1000000 + static_cast<std::uint64_t>(t.tv_nsec) / 1000;
}

/// Holds signals back for its lifetime: blocks those that can wait and catches our own faults.
class SignalsHeld {
 public:
  SignalsHeld() {
    // A handler of a fault may not have the stack to run on when that is what ran out.
    if (stack_.ss_sp != nullptr) {
      sigaltstack(&stack_, &old_stack_);
    }
    struct sigaction catches {};
    catches.sa_handler = on_fault;
    catches.sa_flags = SA_ONSTACK;
    sigfillset(&catches.sa_mask);
    for (std::size_t i = 0; i < kFaults.size(); ++i) {
      sigaction(kFaults[i], &catches, &old_actions_[i]);
    }
    sigset_t all;
    sigfillset(&all);
    for (const int fault : kFaults) {
      sigdelset(&all, fault);
    }
    sigdelset(&all, SIGTRAP);  // debuggers
    pthread_sigmask(SIG_BLOCK, &all, &old_mask_);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  ~SignalsHeld() {
    for (std::size_t i = 0; i < kFaults.size(); ++i) {
      sigaction(kFaults[i], &old_actions_[i], nullptr);
    }
    if (stack_.ss_sp != nullptr) {
      sigaltstack(&old_stack_, nullptr);
      std::free(stack_.ss_sp);
    }
    // What waited is delivered here, and may well end the program.
    pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  }

 private:
  static constexpr std::size_t kStackSize = 65536;
  stack_t stack_{std::malloc(kStackSize), 0, kStackSize};
  stack_t old_stack_{};
  std::array<struct sigaction, kFaults.size()> old_actions_{};
  sigset_t old_mask_{};
};

class NoPause final : public PauseGuard {
 public:
  std::optional<std::uint64_t> release() override { return std::nullopt; }
};

class DomainPause final : public PauseGuard {
 public:
  explicit DomainPause(std::shared_ptr<Host> host) : host_(std::move(host)) {}
  DomainPause(const DomainPause&) = delete;
  DomainPause& operator=(const DomainPause&) = delete;
  ~DomainPause() override { release(); }

  Result<void> start(std::uint32_t domid) {
    static const int registered = std::atexit(at_exit);
    (void)registered;
    held_ = std::make_unique<SignalsHeld>();
    paused = {&host_->call(), host_->interface(), domid};
    // Before the call: a fault in between then undoes a pause that is not there, which Xen refuses without harm.
    is_paused = true;
    started_ = now_us();
    if (host_->call().domain_pause(host_->interface(), domid) != 0) {
      const int error = errno;
      is_paused = false;
      held_.reset();
      if (error == ESRCH) {
        return fail(Errc::vanished, fmt::format("domain {} is gone", domid));
      }
      return fail(Errc::io, fmt::format("domain {} cannot be paused: {}", domid, std::strerror(error)));
    }
    return {};
  }

  std::optional<std::uint64_t> release() override {
    if (!held_) {
      return std::nullopt;
    }
    const bool done = unpause_once();
    const std::uint64_t length = now_us() - started_;
    if (!done) {
      say_still_paused();
    }
    held_.reset();
    return length;
  }

 private:
  std::shared_ptr<Host> host_;
  std::unique_ptr<SignalsHeld> held_;
  std::uint64_t started_ = 0;
};

}  // namespace

Result<std::unique_ptr<PauseGuard>> pause_domain(std::shared_ptr<Host> host, std::uint32_t domid) {
  if (is_paused) {
    return no_pause();
  }
  auto guard = std::make_unique<DomainPause>(std::move(host));
  if (auto ok = guard->start(domid); !ok) {
    return tl::unexpected(ok.error());
  }
  return guard;
}

std::unique_ptr<PauseGuard> no_pause() {
  return std::make_unique<NoPause>();
}

}  // namespace xstack::xen
