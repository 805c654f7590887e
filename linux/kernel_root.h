// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "arch/arch.h"
#include "guest/guest.h"
#include "linux/vmcoreinfo.h"

namespace xstack {

/// The root of the kernel's own page tables for a guest none of whose vCPUs has it in a register: with page table
/// isolation a vCPU in user mode, or just on its way in, has tables with next to nothing of the kernel. Both ways below
/// only offer a root whose tables were walked and answer rightly.

/// arm64: swapper_pg_dir is linked a few pages after tramp_pg_dir, which TTBR1 has then (arch/arm64/kernel/
/// vmlinux.lds.S, 4.16 on; tramp_map_kernel in entry.S adds the same distance). The page whose tables map the kernel
/// stacks that sp_el1 points to is it. x86-64: the page before the one that CR3 has in user mode, when it maps user
/// memory to the same place. Nothing on other architectures.
[[nodiscard]] std::optional<GuestPhys> find_root_beside(PhysMemory& memory, const ArchOps& arch,
                                                        std::span<const CpuState> cpus);

/// From SYMBOL(swapper_pg_dir) (init_top_pgt, on x86-64, goes by that name) and where VMCOREINFO says that the image
/// lies: NUMBER(kimage_voffset) on arm64, NUMBER(phys_base) on x86-64, and on 32-bit architectures one of the usual
/// splits, which put the image at a fixed distance from its physical address. _stext must be where it should be.
[[nodiscard]] std::optional<GuestPhys> find_root_by_vmcoreinfo(Guest& guest, const ArchOps& arch,
                                                               std::span<const CpuState> cpus, const Vmcoreinfo& info);

/// Where the kernel's image lies by its own word, as the distance to subtract from its addresses (modulo 2^64), most
/// likely first: what find_root_by_vmcoreinfo() tries.
[[nodiscard]] std::vector<std::uint64_t> image_distances(Guest& guest, ArchId arch, const Vmcoreinfo& info);

}  // namespace xstack
