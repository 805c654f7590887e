// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arch/code.h"
#include "arch/unwind_tables.h"
#include "base/address.h"
#include "guest/memory.h"

namespace xstack {

struct KernelModule;

/// The kernel's own ORC tables, or why there are none.
struct FoundOrc {
  std::vector<OrcTable> tables;  ///< empty when the kernel has none or none was found
  OrcLayout layout;              ///< of these tables and of every module's
  std::string why_not;  ///< when `tables` is empty: why; else what of `layout` is a guess, or empty when nothing is
};

/// Finds the kernel's ORC tables inside [image_begin, image_end): by their symbols (`__start_orc_unwind_ip` and its
/// companions; vmlinux.lds.h, Linux 4.14 on; in kallsyms only with CONFIG_KALLSYMS_ALL), else by their structure. How
/// the entries are laid out is read from `.orc_header` (6.4 on), else from the entries themselves, never from a
/// version. Reads a bounded part of the image through `search`.
[[nodiscard]] FoundOrc find_kernel_orc(VirtMemory& search, GuestVirt image_begin, GuestVirt image_end, CodeInfo& code);

/// Finds a module's ORC tables by the three consecutive members of its struct module that name them (`num_orcs`,
/// `orc_unwind_ip`, `orc_unwind` of struct mod_arch_specific, arch/x86/include/asm/module.h): no offset is known
/// beforehand, the tables themselves must be sorted and describe the module's text. Nothing when there are none.
/// `kernel_image_begin`: the tables of a module lie in its own memory, above this address.
[[nodiscard]] std::optional<OrcTable> find_module_orc(VirtMemory& search, const KernelModule& module,
                                                      GuestVirt kernel_image_begin);

}  // namespace xstack
