// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/pause.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <random>
#include <stdexcept>

#include "guest/xen/live_guest.h"
#include "tests/unit/guest/fake_host.h"

namespace xstack::xen {
namespace {

class Pause : public testing::Test {
 protected:
  std::unique_ptr<Guest> domu() {
    auto host = Host::open(test::FakeHost::names());
    auto guest = open_live_guest(*host, "domU");
    return std::move(*guest);
  }

  /// Runs `body` in a child process; its wait status.
  template <class Body>
  int in_child(const Body& body) {
    const pid_t child = ::fork();
    if (child == 0) {
      body();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }

  test::FakeHost xen_;
};

TEST_F(Pause, IsUndoneByReleaseAndByTheGuardsEnd) {
  const auto guest = domu();
  {
    auto pause = guest->pause();
    ASSERT_TRUE(pause);
    EXPECT_EQ(xen_->pauses, 1);
    EXPECT_TRUE((*pause)->release().has_value());
    EXPECT_EQ(xen_->pauses, 0);
    EXPECT_FALSE((*pause)->release().has_value());
  }
  EXPECT_EQ(xen_->unpause_calls, 1);
  { auto pause = guest->pause(); }
  EXPECT_EQ(xen_->pauses, 0);
  EXPECT_EQ(xen_->pause_calls, 2);
}

TEST_F(Pause, IsNotDoneToADomainThatStandsStill) {
  for (const std::uint32_t flags : {8U, 4U, 4U | 3U << 16, 1U}) {
    xen_.domu().flags = flags;
    auto pause = domu()->pause();
    ASSERT_TRUE(pause);
    EXPECT_FALSE((*pause)->release().has_value());
  }
  EXPECT_EQ(xen_->pause_calls, 0);
  EXPECT_EQ(xen_->unpause_calls, 0);
}

TEST_F(Pause, SecondGuardDoesNothing) {
  const auto guest = domu();
  auto first = guest->pause();
  xen_.domu().flags = 0;
  auto second = pause_domain(*Host::open(test::FakeHost::names()), 5);
  ASSERT_TRUE(second);
  second->reset();
  EXPECT_EQ(xen_->pauses, 1);
  first->reset();
  EXPECT_EQ(xen_->pauses, 0);
}

TEST_F(Pause, FailuresLeaveNothingBehind) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  xen_->pause_error = EPERM;
  EXPECT_EQ(domu()->pause().error().code, Errc::io);
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
  xen_->pause_error = 0;
  xen_->failing_unpauses = 3;
  { auto pause = domu()->pause(); }
  EXPECT_EQ(xen_->pauses, 0) << "an interrupted call is made again";
}

TEST_F(Pause, IsUndoneByAnException) {
  try {
    const auto guest = domu();
    const auto pause = guest->pause();
    ASSERT_EQ(xen_->pauses, 1);
    throw std::runtime_error("lost");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(xen_->pauses, 0);
}

TEST_F(Pause, IsUndoneByExit) {
  in_child([&] {
    const auto guest = domu();
    const auto pause = guest->pause();
    std::exit(0);
  });
  EXPECT_EQ(xen_->pause_calls, 1);
  EXPECT_EQ(xen_->pauses, 0);
}

TEST_F(Pause, IsUndoneByAnUncaughtException) {
  const int status = in_child([&] {
    ::alarm(20);
    const auto guest = domu();
    const auto pause = guest->pause();
    const auto lose = [] { throw std::runtime_error("lost"); };
    [&]() noexcept { lose(); }();
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(xen_->pause_calls, 1);
  EXPECT_EQ(xen_->pauses, 0);
}

class PauseFault : public Pause, public testing::WithParamInterface<int> {};

TEST_P(PauseFault, IsUndoneAndStillEndsTheProgram) {
  const int status = in_child([&] {
    for (const int fault : {SIGSEGV, SIGBUS, SIGABRT}) {
      ::signal(fault, SIG_DFL);  // sanitizers have handlers of their own
    }
    const auto guest = domu();
    const auto pause = guest->pause();
    ::raise(GetParam());
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), GetParam());
  EXPECT_EQ(xen_->pause_calls, 1);
  EXPECT_EQ(xen_->pauses, 0);
}

INSTANTIATE_TEST_SUITE_P(OfOurOwn, PauseFault, testing::Values(SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL));

class PauseSignal : public Pause, public testing::WithParamInterface<int> {};

/// A child that pauses and unpauses for ever is killed at random moments.
TEST_P(PauseSignal, IsUndoneAtWhateverMomentItComes) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  for (int round = 0; round < 100; ++round) {
    const int calls = xen_->pause_calls;
    const pid_t child = ::fork();
    if (child == 0) {
      ::signal(GetParam(), SIG_DFL);
      ::alarm(60);
      const auto guest = domu();
      for (;;) {
        auto pause = guest->pause();
        ::sched_yield();
      }
    }
    while (xen_->pause_calls == calls) {
      ::usleep(100);
    }
    ::usleep(static_cast<useconds_t>(random() % 1000));
    ::kill(child, GetParam());
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    ASSERT_EQ(WTERMSIG(status), GetParam()) << "the signal does what it always does, only later";
    ASSERT_EQ(xen_->pauses, 0) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(FromOutside, PauseSignal, testing::Values(SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT));

}  // namespace
}  // namespace xstack::xen
