// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/segments.h"

#include <algorithm>
#include <tuple>

namespace xstack {
namespace {

/// A stretch of physical addresses, and what is to be said of it.
struct Stretch {
  std::uint64_t begin;
  std::uint64_t end;
  std::uint64_t data;  ///< of `begin`
};

std::vector<Stretch> stretches_of(std::span<const FrameRange> present) {
  std::vector<Stretch> out;
  std::uint64_t data = 0;
  for (const FrameRange& range : present) {
    const std::uint64_t bytes = range.count * kXenPageSize;
    out.push_back({range.first.value, range.first.value + bytes, data});
    data += bytes;
  }
  return out;
}

/// The part of `run` that is present, in as many segments as it takes, while there are less than `limit` of them.
bool add_mapped(const MappedRun& run, std::span<const Stretch> present, std::size_t limit,
                std::vector<CoreSegment>& out) {
  const std::uint64_t end = run.phys.value + run.bytes;
  auto at = std::upper_bound(present.begin(), present.end(), run.phys.value,
                             [](std::uint64_t phys, const Stretch& stretch) { return phys < stretch.end; });
  for (; at != present.end() && at->begin < end; ++at) {
    if (out.size() >= limit) {
      return false;
    }
    const std::uint64_t from = std::max(at->begin, run.phys.value);
    const std::uint64_t to = std::min(at->end, end);
    out.push_back({GuestPhys(from), run.at + (from - run.phys.value), to - from, at->data + (from - at->begin)});
  }
  return true;
}

/// What of `present` no mapped segment has.
void add_unmapped(std::span<const Stretch> present, std::vector<CoreSegment>& out) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> mapped;
  mapped.reserve(out.size());
  for (const CoreSegment& segment : out) {
    mapped.emplace_back(segment.phys.value, segment.phys.value + segment.bytes);
  }
  std::sort(mapped.begin(), mapped.end());
  auto next = mapped.begin();
  for (const Stretch& stretch : present) {
    std::uint64_t at = stretch.begin;
    while (at < stretch.end) {
      while (next != mapped.end() && next->second <= at) {
        ++next;
      }
      const std::uint64_t gap_end = next == mapped.end() ? stretch.end : std::min(next->first, stretch.end);
      if (gap_end > at) {
        out.push_back({GuestPhys(at), std::nullopt, gap_end - at, stretch.data + (at - stretch.begin)});
      }
      at = std::max(at, gap_end);
      if (next != mapped.end() && next->first <= at) {
        at = std::max(at, std::min(next->second, stretch.end));
      }
    }
  }
}

}  // namespace

CorePlan plan_segments(std::span<const FrameRange> present, const KernelMap& map) {
  const auto stretches = stretches_of(present);
  CorePlan plan;
  plan.bytes = stretches.empty() ? 0 : stretches.back().data + (stretches.back().end - stretches.back().begin);
  // What is mapped twice is no reason for memory to be left out: room is kept for each stretch, and for both of its
  // ends being unmapped.
  const std::size_t reserved = std::min(kMaxSegments, 2 * stretches.size() + 1);
  for (const MappedRun& run : map.runs) {
    if (!add_mapped(run, stretches, (kMaxSegments - reserved) / 2, plan.segments)) {
      plan.cut = true;
      break;
    }
  }
  add_unmapped(stretches, plan.segments);
  // Of two that begin together the longer one first: the kernel's map of all memory, before the pieces of it that it
  // also sees elsewhere.
  std::sort(plan.segments.begin(), plan.segments.end(), [](const CoreSegment& a, const CoreSegment& b) {
    return std::tuple(a.data, ~a.bytes, a.virt ? a.virt->value : 0) <
           std::tuple(b.data, ~b.bytes, b.virt ? b.virt->value : 0);
  });
  return plan;
}

}  // namespace xstack
