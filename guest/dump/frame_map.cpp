// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/frame_map.h"

#include <algorithm>

namespace xstack {
namespace {

constexpr std::uint64_t kFrameLimit = 1ULL << 52;

}  // namespace

bool FrameMap::add(std::uint64_t first, std::uint64_t page, std::uint64_t count) {
  if (first >= kFrameLimit || count > kFrameLimit - first) {
    return false;
  }
  if (count == 0) {
    return true;
  }
  if (!runs_.empty()) {
    Run& last = runs_.back();
    if (last.first + last.count == first && last.page + last.count == page) {
      last.count += count;
      return true;
    }
  }
  runs_.push_back({first, page, count});
  return true;
}

std::uint64_t FrameMap::finish() {
  std::stable_sort(runs_.begin(), runs_.end(), [](const Run& a, const Run& b) { return a.first < b.first; });
  std::uint64_t again = 0;
  std::uint64_t end = 0;
  std::size_t kept = 0;
  for (Run run : runs_) {
    if (run.first < end) {
      const std::uint64_t overlap = std::min(run.count, end - run.first);
      // A file may describe the same pages twice, as a kernel sees some of its memory at two addresses.
      const Run& before = runs_[kept - 1];
      again += before.page + (run.first - before.first) == run.page ? 0 : overlap;
      run.first += overlap;
      run.page += overlap;
      run.count -= overlap;
    }
    if (run.count == 0) {
      continue;
    }
    end = run.first + run.count;
    runs_[kept++] = run;
  }
  runs_.resize(kept);
  runs_.shrink_to_fit();
  return again;
}

std::optional<FrameMap::Found> FrameMap::find(std::uint64_t frame) const {
  auto after = std::upper_bound(runs_.begin(), runs_.end(), frame,
                                [](std::uint64_t wanted, const Run& run) { return wanted < run.first; });
  if (after == runs_.begin()) {
    return std::nullopt;
  }
  const Run& run = *--after;
  const std::uint64_t into = frame - run.first;
  if (into >= run.count) {
    return std::nullopt;
  }
  return Found{run.page + into, run.count - into};
}

std::vector<FrameRange> FrameMap::ranges() const {
  std::vector<FrameRange> out;
  for (const Run& run : runs_) {
    const GuestPhys first(run.first * kXenPageSize);
    if (!out.empty() && out.back().first + out.back().count * kXenPageSize == first) {
      out.back().count += run.count;
    } else {
      out.push_back({first, run.count});
    }
  }
  return out;
}

std::uint64_t FrameMap::frames() const {
  std::uint64_t total = 0;
  for (const Run& run : runs_) {
    total += run.count;
  }
  return total;
}

}  // namespace xstack
