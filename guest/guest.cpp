// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/guest.h"

#include <fmt/format.h>

#include <array>

namespace xstack {

const char* to_string(RunState state) {
  switch (state) {
    case RunState::running:
      return "running";
    case RunState::blocked:
      return "blocked";
    case RunState::paused:
      return "paused";
    case RunState::shutdown:
      return "shutdown";
    case RunState::crashed:
      return "crashed";
    case RunState::dying:
      return "dying";
  }
  return "?";
}

std::string shutdown_reason(unsigned code) {
  // SHUTDOWN_* in xen/include/public/sched.h
  static constexpr std::array kNames = {"poweroff", "reboot", "suspend", "crash", "watchdog", "soft_reset"};
  return code < kNames.size() ? kNames[code] : fmt::format("unknown ({})", code);
}

}  // namespace xstack
