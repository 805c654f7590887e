// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>
#include <vector>

#include "arch/arch.h"
#include "guest/memory.h"
#include "linux/mapped_scan.h"

namespace xstack {

/// Addresses near each other that registers and stacks point to: perhaps the kernel's image.
struct AnchorCluster {
  GuestVirt lowest;
  GuestVirt highest;
  unsigned weight = 0;
};

/// Where the kernel's code may be, most likely first: what program counters, link registers and other registers of the
/// vCPUs hold, the entry points that an x86 guest registered with Xen, and what stands on the kernel stacks, as far as
/// it is mapped. A few at most.
[[nodiscard]] std::vector<AnchorCluster> find_text_anchors(Guest& guest, const ArchOps& arch,
                                                           std::span<const CpuState> cpus, VirtMemory& memory,
                                                           PageProbe& probe);

/// Sets the bits that pointer authentication and tags use, so that a kernel address is canonical; other values and
/// other architectures are left alone. `va_bits` is the size of the upper half.
[[nodiscard]] std::uint64_t strip_arm64_address(std::uint64_t value, unsigned va_bits);

}  // namespace xstack
