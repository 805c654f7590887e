// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "guest/guest.h"
#include "linux/call_targets.h"
#include "linux/kallsyms_tables.h"
#include "linux/mapped_scan.h"

namespace xstack {

/// Does this vCPU run at physical addresses: its MMU is off, or maps its pc to itself? A kernel's own addresses are
/// never equal to physical ones.
[[nodiscard]] bool runs_at_physical(const CpuState& cpu, PhysMemory& memory);

/// A kernel whose image lies in memory, with no page tables yet that show it where it was linked to be.
struct PhysicalKernel {
  KallsymsTables kallsyms;  ///< at physical addresses, with the slide that makes symbols' addresses physical too
  std::optional<std::string> banner;
  CallPlacement placed;
};

/// Searches physical memory, seen through `search` at equal addresses, for the kallsyms tables of an unpacked kernel,
/// and fits their addresses to where its code lies by its calls. Reads up to 64 MiB from each of `anchors` up.
[[nodiscard]] std::optional<PhysicalKernel> find_physical_kernel(PageProbe& probe, VirtMemory& search,
                                                                 const ArchOps& arch,
                                                                 std::span<const GuestVirt> anchors);

/// Why an arm32 kernel that lies at `begin` and was linked for `link` stops before it turns its MMU on; nothing when
/// that is not known. A kernel that patches its own address arithmetic (CONFIG_ARM_PATCH_PHYS_VIRT: all that boot on
/// more than one board) can take distances of whole 2 MiB only and stays in a loop in __fixup_pv_table otherwise
/// (arch/arm/kernel/phys2virt.S; until 5.10 in __error of head.S, and for distances of less than 16 MiB as well).
[[nodiscard]] std::optional<std::string> why_misplaced(ArchId arch, GuestPhys begin, std::optional<GuestVirt> link);

/// Pages that may hold code when nothing but `anchors` and the memory above them is known: for place_by_calls() with
/// the symbols of a file.
[[nodiscard]] std::vector<GuestVirt> code_pages_above(std::span<const GuestVirt> anchors);

}  // namespace xstack
