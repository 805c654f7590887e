// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "linux/module_use.h"
#include "tools/kernel_session.h"

namespace xstack {

/// A module with what unwinding through it rests on.
struct ModuleReport {
  KernelModule module;
  ModuleUse use;
  std::size_t unwind_tables = 0;     ///< EHABI index tables, or ORC tables
  std::uint64_t unwind_entries = 0;  ///< in all of them
};

/// Every module on the kernel's list, in its order: the newest first.
struct ModuleListReport {
  std::vector<ModuleReport> modules;
  const char* unwind_kind = "";    ///< "ehabi", "orc"; empty where modules need no tables
  std::vector<std::string> notes;  ///< what could not be known of any module, and why
  std::vector<std::string> warnings;
  bool partial = false;  ///< some modules, or where their code lies, could not be found
};

/// From a guest that was just opened. Errors: not_found when there is no kernel.
[[nodiscard]] Result<ModuleListReport> read_modules(Guest& guest, const KernelRequest& request);

}  // namespace xstack
