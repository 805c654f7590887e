// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/exit_status.h"

namespace xstack {

ExitStatus exit_status(Errc code) {
  switch (code) {
    case Errc::usage:
      return ExitStatus::usage;
    case Errc::no_access:
    case Errc::no_such_domain:
    case Errc::vanished:
    case Errc::io:
    case Errc::interrupted:
      return ExitStatus::no_access;
    case Errc::unsupported:
    case Errc::bad_format:
    case Errc::truncated:
    case Errc::too_large:
    case Errc::not_found:
    case Errc::unreadable:
      return ExitStatus::not_understood;
  }
  return ExitStatus::not_understood;
}

}  // namespace xstack
