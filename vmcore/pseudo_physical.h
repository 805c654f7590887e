// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "guest/dump/capture_notes.h"
#include "guest/guest.h"
#include "vmcore/kernel_map.h"

namespace xstack {

/// A PV guest's memory as its kernel numbers it. Page tables of such a guest hold machine frames, in no order; to the
/// kernel, and to every tool that reads its dumps, physical memory is what its direct map shows.
struct PseudoPhysical {
  std::vector<FrameRange> present;  ///< pseudo-physical, ascending: what there is, in the order of the file
  std::vector<FrameRange> machine;  ///< the same memory by machine frame, in the same order
  std::vector<FrameNumbers> table;  ///< which is which
  KernelMap map;                    ///< with pseudo-physical addresses
  std::uint64_t numbered_end = 0;   ///< frames from here on the kernel does not number so: they are only put there
};

/// Renumbers `map` and the machine frames in `present` by the kernel's direct map, which begins at `direct_map`. Frames
/// that it does not show come behind all others.
[[nodiscard]] PseudoPhysical number_as_kernel(const KernelMap& map, GuestVirt direct_map,
                                              std::span<const FrameRange> present);

}  // namespace xstack
