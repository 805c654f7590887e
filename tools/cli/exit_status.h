// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/error.h"

namespace xstack {

/// What the process tells its caller. The numbers are documented in the man page and do not change.
enum class ExitStatus : int {
  whole = 0,               ///< everything that was asked for
  partial = 1,             ///< an answer, and the part that is missing is named
  usage = 2,               ///< the command line makes no sense
  no_access = 3,           ///< no such domain, no privilege, a file that cannot be read or written
  not_understood = 4,      ///< the input is not what xstack can read
  crash_found = 10,        ///< log: a crash
  only_known = 11,         ///< log: crashes, all of them listed as known
  unfit = 10,              ///< check-config: something required is missing
  lacks_recommended = 11,  ///< check-config: something recommended is missing, nothing required
};

/// The exit status of a command that failed with `code`.
[[nodiscard]] ExitStatus exit_status(Errc code);

}  // namespace xstack
