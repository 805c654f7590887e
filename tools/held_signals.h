// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <csignal>

namespace xstack {

/// Signals that end a program wait while this lives, so that what was begun is undone (a paused guest, half a file)
/// before they do what they do. For work that takes long and can ask waiting() now and then.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : kEnding) {
      sigaddset(&held, signal);
    }
    pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  /// Has one come?
  [[nodiscard]] bool waiting() const {
    sigset_t pending;
    sigemptyset(&pending);
    sigpending(&pending);
    for (const int signal : kEnding) {
      if (sigismember(&pending, signal) == 1) {
        return true;
      }
    }
    return false;
  }

 private:
  static constexpr std::array kEnding{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  sigset_t before_{};
};

}  // namespace xstack
