// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/session_gdb.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "linux/current_task.h"
#include "linux/saved_registers.h"
#include "linux/task_list.h"
#include "remote/connection.h"
#include "remote/server.h"
#include "tools/held_signals.h"

namespace xstack {
namespace {

constexpr std::uint32_t kFirstTask = 65536;  // thread numbers of vCPUs are below, those of tasks are this and the pid
constexpr std::size_t kMostTasks = 16384;

/// A target, and what its threads borrow.
struct Served {
  remote::Target target;
  std::vector<std::unique_ptr<TranslatedMemory>> memories;
  GdbReport report;
};

void add_vcpus(KernelSession& session, const std::vector<DecodedVcpu>& vcpus, Served& served) {
  for (std::size_t i = 0; i < vcpus.size(); ++i) {
    if (!vcpus[i].cpu) {
      continue;
    }
    served.memories.push_back(
        std::make_unique<TranslatedMemory>(session.guest().memory(), session.translations(vcpus, i)));
    served.target.threads.push_back({.id = vcpus[i].context.id + 1,
                                     .name = fmt::format("vCPU {} ({})", vcpus[i].context.id, vcpus[i].cpu->mode),
                                     .regs = vcpus[i].cpu->regs,
                                     .memory = served.memories.back().get()});
    ++served.report.vcpus;
  }
}

/// Tasks that sleep, with the registers that the scheduler saved of them.
void add_tasks(KernelSession& session, Served& served) {
  Kernel& kernel = *session.kernel();
  const TaskLayout* layout = kernel.task_layout();
  if (layout == nullptr) {
    served.report.warnings.push_back("no tasks: " + kernel.no_task_layout());
    return;
  }
  VirtMemory& memory = *served.memories.front();
  const TaskListing listing = read_tasks(memory, *layout, session.arch().word_size, kMostTasks);
  served.report.warnings.insert(served.report.warnings.end(), listing.problems.begin(), listing.problems.end());
  for (const KernelTask& task : listing.tasks) {
    if (task.on_cpu.value_or(false)) {
      continue;  // it is one of the vCPUs
    }
    const auto frame = saved_frame(memory, *layout, session.arch(), kernel.code(), task);
    if (!frame) {
      continue;
    }
    remote::Thread thread{.id = kFirstTask + task.pid, .name = {}, .regs = frame->regs, .memory = &memory};
    thread.name = fmt::format("{}[{}] {}", task.comm, task.pid, state_letter(task).value_or('?'));
    thread.regs.set(session.arch().pc, frame->pc.value);
    if (frame->sp) {
      thread.regs.set(session.arch().sp, frame->sp->value);
    }
    served.target.threads.push_back(std::move(thread));
    ++served.report.tasks;
  }
}

Result<void> answer_debugger(KernelSession& session, const GdbRequest& request, int in, int out,
                             const HeldSignals& signals, GdbReport& report) {
  Guest& guest = session.guest();
  auto pause = request.pause ? guest.pause() : Result<std::unique_ptr<PauseGuard>>(nullptr);
  if (!pause) {
    return tl::unexpected(pause.error());
  }
  auto contexts = guest.vcpus();
  if (!contexts) {
    return tl::unexpected(contexts.error());
  }
  const auto vcpus = session.decode(std::move(*contexts));
  Served served;
  served.report = report;
  served.target.arch = &session.arch();
  served.target.kaslr_offset = session.kernel()->kaslr_offset();
  add_vcpus(session, vcpus, served);
  if (served.target.threads.empty()) {
    return fail(Errc::not_found, "no vCPU has registers: there is nothing that a debugger could look at");
  }
  if (request.tasks) {
    add_tasks(session, served);
  }
  remote::Server server(served.target);
  auto done = remote::serve(server, in, out, [&] { return signals.waiting(); });
  report = std::move(served.report);
  return done;
}

}  // namespace

Result<GdbReport> serve_gdb(Guest& guest, const GdbRequest& request) {
  auto session = KernelSession::open(guest, request.kernel);
  if (!session) {
    return tl::unexpected(session.error());
  }
  if (auto found = (*session)->look_round(); !found) {
    return tl::unexpected(found.error());
  }
  if (request.tasks) {
    static_cast<void>((*session)->kernel()->task_layout());  // looked for while the guest still runs
  }
  GdbReport report;
  report.warnings = guest.warnings();
  const HeldSignals signals;
  Result<void> done;
  if (request.port) {
    const auto listener = remote::listen_on(request.address, *request.port);
    if (!listener) {
      return tl::unexpected(listener.error());
    }
    if (request.listening) {
      request.listening(listener->address, listener->port, listener->loopback);
    }
    const auto peer = remote::accept_one(*listener, [&] { return signals.waiting(); });
    if (!peer) {
      return tl::unexpected(peer.error());
    }
    done = answer_debugger(**session, request, peer->get(), peer->get(), signals, report);
  } else {
    done = answer_debugger(**session, request, STDIN_FILENO, STDOUT_FILENO, signals, report);
  }
  if (!done) {
    return tl::unexpected(done.error());
  }
  if (const auto lost = guest.lost()) {
    return tl::unexpected(*lost);
  }
  return report;
}

}  // namespace xstack
