// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/pseudo_physical.h"

#include <algorithm>

namespace xstack {
namespace {

/// Tables of a guest that lies may map the same memory again and again: so many frames are looked at, no more. A direct
/// map of 64 GiB has a sixteenth of them.
constexpr std::uint64_t kMaxSteps = std::uint64_t{1} << 28;

constexpr std::uint64_t kDirectMapBytes = std::uint64_t{1} << 46;  // 64 TiB (Documentation/arch/x86/x86_64/mm.rst)

/// Takes [first, first + count) out of what is left of `present` and gives the parts that were there.
class Present {
 public:
  explicit Present(std::span<const FrameRange> present) {
    for (const FrameRange& range : present) {
      left_.push_back({range.first.value / kXenPageSize, range.count, {}});
      left_.back().taken.resize(static_cast<std::size_t>(range.count));
    }
  }

  /// Calls `give(frame, count)` for each run of [first, first + count) that is present and was not taken before.
  /// False once that has been too much work.
  template <class Give>
  bool take(std::uint64_t first, std::uint64_t count, const Give& give) {
    auto at = std::upper_bound(left_.begin(), left_.end(), first,
                               [](std::uint64_t frame, const Range& r) { return frame < r.first + r.count; });
    for (; at != left_.end() && at->first < first + count; ++at) {
      const std::uint64_t from = std::max(first, at->first);
      const std::uint64_t to = std::min(first + count, at->first + at->count);
      std::uint64_t run = from;
      steps_ += to - from + 1;
      if (steps_ > kMaxSteps) {
        return false;
      }
      for (std::uint64_t frame = from; frame <= to; ++frame) {
        const bool free = frame < to && !at->taken[static_cast<std::size_t>(frame - at->first)];
        if (free) {
          at->taken[static_cast<std::size_t>(frame - at->first)] = true;
          continue;
        }
        if (frame > run) {
          give(run, frame - run);
        }
        run = frame + 1;
      }
    }
    return true;
  }

  template <class Give>
  void take_rest(const Give& give) {
    steps_ = 0;
    for (const Range& range : left_) {
      (void)take(range.first, range.count, give);
    }
  }

 private:
  struct Range {
    std::uint64_t first;
    std::uint64_t count;
    std::vector<bool> taken;
  };
  std::vector<Range> left_;
  std::uint64_t steps_ = 0;
};

}  // namespace

PseudoPhysical number_as_kernel(const KernelMap& map, GuestVirt direct_map, std::span<const FrameRange> present) {
  PseudoPhysical out;
  out.map.cut = map.cut;
  out.map.aliases_left_out = map.aliases_left_out;
  Present left(present);
  std::uint64_t next = 0;  // the frame behind all that the direct map shows
  const auto add = [&](std::uint64_t pseudo, std::uint64_t machine, std::uint64_t count) {
    next = std::max(next, pseudo + count);
    out.table.push_back({pseudo, machine, count});
    out.machine.push_back({GuestPhys(machine * kXenPageSize), count});
    if (!out.present.empty() &&
        out.present.back().first + out.present.back().count * kXenPageSize == GuestPhys(pseudo * kXenPageSize)) {
      out.present.back().count += count;
    } else {
      out.present.push_back({GuestPhys(pseudo * kXenPageSize), count});
    }
  };
  for (const MappedRun& run : map.runs) {
    if (run.at < direct_map || run.at - direct_map >= kDirectMapBytes) {
      continue;
    }
    const std::uint64_t first = run.phys.value / kXenPageSize;
    const std::uint64_t pseudo = (run.at - direct_map) / kXenPageSize;
    const bool done = left.take(first, run.bytes / kXenPageSize, [&](std::uint64_t frame, std::uint64_t count) {
      add(pseudo + (frame - first), frame, count);
    });
    if (!done) {
      out.map.cut = true;
      break;
    }
  }
  out.numbered_end = next;
  left.take_rest([&](std::uint64_t frame, std::uint64_t count) { add(next, frame, count); });

  std::vector<FrameNumbers> by_machine = out.table;
  std::sort(by_machine.begin(), by_machine.end(),
            [](const FrameNumbers& a, const FrameNumbers& b) { return a.machine < b.machine; });
  std::uint64_t steps = 0;
  for (const MappedRun& run : map.runs) {
    const std::uint64_t first = run.phys.value / kXenPageSize;
    const std::uint64_t end = first + run.bytes / kXenPageSize;
    auto at = std::upper_bound(by_machine.begin(), by_machine.end(), first,
                               [](std::uint64_t frame, const auto& n) { return frame < n.machine + n.count; });
    for (; at != by_machine.end() && at->machine < end; ++at) {
      if (++steps > kMaxSteps) {
        out.map.cut = true;
        return out;
      }
      const std::uint64_t from = std::max(first, at->machine);
      const std::uint64_t count = std::min(end, at->machine + at->count) - from;
      const MappedRun piece{run.at + (from - first) * kXenPageSize,
                            GuestPhys((at->pseudo + (from - at->machine)) * kXenPageSize), count * kXenPageSize};
      MappedRun* before = out.map.runs.empty() ? nullptr : &out.map.runs.back();
      if (before != nullptr && before->at + before->bytes == piece.at && before->phys + before->bytes == piece.phys) {
        before->bytes += piece.bytes;
      } else {
        out.map.runs.push_back(piece);
      }
    }
  }
  return out;
}

}  // namespace xstack
