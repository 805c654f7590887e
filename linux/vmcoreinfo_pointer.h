// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <vector>

#include "linux/mapped_scan.h"
#include "linux/vmcoreinfo.h"

namespace xstack {

/// Where to look for vmcoreinfo_data in a kernel without data symbols.
struct VmcoreinfoPlace {
  GuestVirt image_begin;  ///< of the kernel's code
  GuestVirt data_begin;   ///< after the kernel's read-only data
  unsigned word_size = 8;
  std::vector<GuestVirt> likely = {};  ///< pages of data to look at first
};

/// VMCOREINFO through `vmcoreinfo_data`, a page-aligned pointer in the kernel's data to a page behind or outside the
/// image (kernel/vmcore_info.c, before 6.9 kernel/crash_core.c: crash_save_vmcoreinfo_init). Pointers that have a
/// length beside them, as this one has vmcoreinfo_size, are tried first. Reads up to 24 MiB of data and up to 1024
/// pages that pointers in it lead to, in batches, unless a likely page has the pointer.
[[nodiscard]] std::optional<Vmcoreinfo> find_vmcoreinfo_by_pointer(PageProbe& probe, VirtMemory& search,
                                                                   const VmcoreinfoPlace& place);

}  // namespace xstack
