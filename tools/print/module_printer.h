// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "tools/session_modules.h"

namespace xstack {

/// A table: name, size, state and address as in /proc/modules, then symbols and unwind tables.
/// Escaped.
[[nodiscard]] std::string print_modules(const ModuleListReport& report);

/// JSON, version 1: tools/schema/xstack-modules-1.json.
[[nodiscard]] std::string print_modules_json(const ModuleListReport& report);

}  // namespace xstack
