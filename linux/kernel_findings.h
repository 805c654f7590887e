// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arch/unwind_tables.h"
#include "base/address.h"
#include "linux/kallsyms_tables.h"
#include "linux/kernel_code.h"
#include "linux/module_symbols.h"
#include "linux/task_layout.h"

namespace xstack {

/// What a look round in a kernel found: all that a replay needs to do without searching. Plain data.
struct KernelFindings {
  using Names = std::map<std::string, std::optional<std::uint64_t>, std::less<>>;

  std::optional<KallsymsTables> kallsyms;
  std::vector<std::uint64_t> samples;  ///< Kallsyms::samples()
  Names names;                         ///< Kallsyms::asked()
  std::vector<CodeRange> text;         ///< the kernel's code
  std::optional<std::string> release;
  std::optional<std::string> banner;
  std::optional<std::string> build_id;
  std::optional<std::uint64_t> kaslr_offset;
  bool kaslr_derived = false;            ///< from where the image lies, not from the kernel's own word
  std::optional<GuestPhys> kernel_root;  ///< the kernel's own page tables, when they had to be found
  std::vector<FoundModule> modules;
  UnwindTables unwind;
  std::optional<TaskLayout> tasks;
  std::optional<std::uint32_t> module_taints;  ///< Kernel::module_taints()
  std::vector<GuestVirt> known_tasks;          ///< those that vCPUs ran
  /// A kernel that was found in physical memory: where its first code is, and how its symbols were fitted to that. Its
  /// kallsyms have the slide, everything else here is physical.
  std::optional<GuestPhys> physical_begin;
  std::string physical_how;
  /// What is added to an address of the image to get where it lies, when some vCPU runs at physical addresses though
  /// others have the kernel mapped.
  std::optional<std::uint64_t> physical_offset;
  std::vector<std::string> warnings;
};

}  // namespace xstack
