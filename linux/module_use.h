// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "guest/memory.h"
#include "linux/kernel.h"

namespace xstack {

/// Who uses a module, as /proc/modules has it.
struct ModuleUse {
  std::optional<std::uint32_t> references;        ///< without the kernel's own
  std::optional<std::vector<std::string>> users;  ///< modules that use it; the newest first
  std::optional<std::uint32_t> taints;            ///< bits as in the kernel's own taint mask
};

/// Reads it from the structures of `modules`, which are all modules of one kernel; the result is parallel to them.
/// Where the members are (source_list, target_list, exit, refcnt: include/linux/module.h, 2.6.36 on,
/// CONFIG_MODULE_UNLOAD) is told by what the structures hold: two list heads side by side whose members name two
/// modules each, this one and another (struct module_use), and behind them a pointer into the module's own code, or
/// none, and a small count. `taints` is the offset of that member, which nothing but the kernel's BTF tells.
[[nodiscard]] std::vector<ModuleUse> read_module_use(VirtMemory& memory, std::span<const KernelModule> modules,
                                                     unsigned word_size, std::optional<std::uint32_t> taints);

}  // namespace xstack
