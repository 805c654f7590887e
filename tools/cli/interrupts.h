// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// struct sigaction is POSIX's, which <csignal> need not declare.
#include <signal.h>  // NOLINT(modernize-deprecated-headers)

#include <array>

namespace xstack {

/// As long as it lives, the first SIGINT, SIGTERM or SIGHUP does not end the process but is noted; a second one does.
/// One that the process ignores (nohup) stays ignored. One at a time.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  [[nodiscard]] static bool came();

 private:
  std::array<struct sigaction, 3> before_{};
};

}  // namespace xstack
