// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "guest/guest.h"
#include "vmcore/kernel_map.h"

namespace xstack {

/// One PT_LOAD of a core: `bytes` of memory at `phys`, which the kernel sees at `virt`, when it does. Its contents lie
/// `data` bytes behind the first byte of memory in the file; segments may share contents, since a kernel sees some of
/// its memory at two addresses.
struct CoreSegment {
  GuestPhys phys;
  std::optional<GuestVirt> virt;
  std::uint64_t bytes = 0;
  std::uint64_t data = 0;
};

/// Segments for all that `present` has (ascending and disjoint; its frames lie one after the other in the file): one
/// for each stretch that the kernel maps, and one for each that it does not. Ascending by `data`, so that the first
/// begins where memory begins in the file. Where that takes more than kMaxSegments, mappings are left out and `cut` is
/// set; memory never is.
struct CorePlan {
  std::vector<CoreSegment> segments;
  std::uint64_t bytes = 0;  ///< of memory in the file
  bool cut = false;
};
[[nodiscard]] CorePlan plan_segments(std::span<const FrameRange> present, const KernelMap& map);

/// Program headers are counted in 16 bits, of which the highest value means something else (PN_XNUM).
inline constexpr std::size_t kMaxSegments = 60000;

}  // namespace xstack
