// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "guest/memory.h"
#include "linux/mapped_scan.h"
#include "linux/module_symbols.h"

namespace xstack {

/// Where to look for the head of the kernel's module list.
struct ModuleListPlace {
  const ArchOps& arch;
  GuestVirt image_begin;               ///< of the kernel's code
  GuestVirt data_begin;                ///< where the search for the head starts: after the kernel's read-only data
  std::vector<GuestVirt> likely = {};  ///< pages of data to look at first
};

/// The `modules` list head (kernel/module/main.c) in the kernel's data, by its form: a list_head whose neighbour is the
/// list member of a struct module and points back to it. For kernels whose kallsyms lacks data symbols. Reads up to
/// 24 MiB of data, in batches, until it is found, unless a likely page has it.
[[nodiscard]] std::optional<GuestVirt> find_module_head(PageProbe& probe, VirtMemory& search,
                                                        const ModuleListPlace& place);

/// Every module on the list at `head`, with its text and its symbol table. struct module begins {state, list, name} in
/// every version; where its other members are is told by what the modules of this guest hold, never by version.
/// `problem` says what of it could not be read, if anything.
struct ModuleListing {
  std::vector<FoundModule> modules;
  std::optional<std::string> problem;
};
[[nodiscard]] ModuleListing read_module_list(VirtMemory& search, GuestVirt head, unsigned word_size);

}  // namespace xstack
