// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/error.h"

namespace xstack {

/// Asks the servers named in the environment's DEBUGINFOD_URLS for the debug file of a build-id (lower-case hex) and
/// returns where it was stored. libdebuginfod is loaded for that, and only for that: nothing else in xstack may use the
/// network. Unless the environment says otherwise, a server that sends nothing for 20 seconds is given up, and so is a
/// download that takes more than 10 minutes or 4 GiB. Errors: unsupported (no libdebuginfod here), not_found (no server
/// named, or none has it), io.
[[nodiscard]] Result<std::string> ask_debuginfod(const std::string& build_id);

}  // namespace xstack
