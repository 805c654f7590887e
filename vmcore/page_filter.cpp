// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/page_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

namespace xstack {
namespace {

/// Which frames the kernel sees at another address than in its map of all memory: vmalloc, modules, stacks, its
/// descriptors of pages. That map is the largest of all pieces that lie equally far from physical addresses.
class SeenElsewhere {
 public:
  explicit SeenElsewhere(const KernelMap& map) {
    std::unordered_map<std::uint64_t, std::uint64_t> bytes;
    for (const MappedRun& run : map.runs) {
      bytes[run.at.value - run.phys.value] += run.bytes;
    }
    std::uint64_t most = 0;
    std::uint64_t direct = 0;
    for (const auto& [offset, size] : bytes) {
      if (size > most) {
        most = size;
        direct = offset;
      }
    }
    for (const MappedRun& run : map.runs) {
      if (run.at.value - run.phys.value != direct) {
        const std::uint64_t first = run.phys.value / kXenPageSize;
        ranges_.push_back({first, first + run.bytes / kXenPageSize});
      }
    }
    std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
    std::uint64_t end = 0;
    for (Range& range : ranges_) {
      end = std::max(end, range.end);
      range.end = end;  // the furthest that any range up to here goes
    }
  }

  /// A frame is in one of the ranges that begin up to it when the furthest end of those is behind it.
  [[nodiscard]] bool has(std::uint64_t frame) const {
    const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), frame,
                                        [](std::uint64_t value, const Range& range) { return value < range.first; });
    return after != ranges_.begin() && frame < std::prev(after)->end;
  }

 private:
  struct Range {
    std::uint64_t first;
    std::uint64_t end;
  };
  std::vector<Range> ranges_;
};

/// Takes a page of the second list for each of the first.
class Cursor {
 public:
  explicit Cursor(std::span<const FrameRange> ranges) : ranges_(ranges) {}
  std::uint64_t next() {
    while (at_ < ranges_.size() && done_ == ranges_[at_].count) {
      ++at_;
      done_ = 0;
    }
    return at_ < ranges_.size() ? ranges_[at_].first.value / kXenPageSize + done_++ : ~std::uint64_t{0};
  }

 private:
  std::span<const FrameRange> ranges_;
  std::size_t at_ = 0;
  std::uint64_t done_ = 0;
};

void append(std::vector<FrameRange>& ranges, std::uint64_t frame) {
  if (!ranges.empty() && ranges.back().first.value / kXenPageSize + ranges.back().count == frame) {
    ++ranges.back().count;
  } else {
    ranges.push_back({GuestPhys(frame * kXenPageSize), 1});
  }
}

bool kernel_only(PageKind kind) {
  return kind != PageKind::free && kind != PageKind::user && kind != PageKind::cache;
}

/// Pages without a type are the kernel's own for certain only where it is seen what for: it maps them for itself, or
/// they are its tables or a task's stack. Others are buffers of pipes, of the network and of devices.
bool redacted(PageKind kind, bool elsewhere, bool own) {
  switch (kind) {
    case PageKind::reserved:
    case PageKind::slab:
      return true;
    case PageKind::kernel:
      return elsewhere || own;
    case PageKind::typed:
    case PageKind::idle:
      return own;
    case PageKind::unknown:
    case PageKind::free:
    case PageKind::user:
    case PageKind::cache:
    case PageKind::shared:
      break;
  }
  return false;
}

}  // namespace

std::string describe_left_out(const PageCounts& counts) {
  std::string text;
  for (std::size_t i = 0; i < kPageKinds; ++i) {
    const std::uint64_t pages = counts.all[i] - counts.kept[i];
    if (pages != 0) {
      text += fmt::format("{}{:.1f} MiB {}", text.empty() ? "" : ", ",
                          static_cast<double>(pages) * kXenPageSize / (1024.0 * 1024.0),
                          to_string(static_cast<PageKind>(i)));
    }
  }
  return text;
}

PageCounts filter_pages(PageDescriptors& descriptors, const PageFilter& filter, NumberedFrames& memory) {
  const SeenElsewhere elsewhere(*filter.map);
  const std::uint64_t per_page = descriptors.layout().page_size / kXenPageSize;
  PageCounts counts;
  NumberedFrames kept;
  Cursor machine(memory.frames);
  for (const FrameRange& range : memory.numbered) {
    const std::uint64_t first = range.first.value / kXenPageSize;
    const std::uint64_t end = first + range.count;
    const auto take = [&](std::uint64_t frame, PageKind kind) {
      const std::uint64_t by_tables = machine.next();
      const auto index = static_cast<std::size_t>(kind);
      ++counts.all[index];
      if (filter.keep == KeepPages::kernel_only
              ? kernel_only(kind)
              : redacted(kind, elsewhere.has(frame), filter.own->contains(by_tables))) {
        ++counts.kept[index];
        append(kept.numbered, frame);
        append(kept.frames, by_tables);
      }
    };
    const std::uint64_t described = std::clamp(filter.first_unnumbered.value_or(end), first, end);
    if (described > first) {
      const std::uint64_t first_page = first / per_page;
      const std::uint64_t last_page = (described - 1) / per_page;
      descriptors.each(first_page, last_page - first_page + 1, [&](std::uint64_t page, PageKind kind) {
        const std::uint64_t stop = std::min(described, (page + 1) * per_page);
        for (std::uint64_t frame = std::max(first, page * per_page); frame < stop; ++frame) {
          take(frame, kind);
        }
      });
    }
    for (std::uint64_t frame = described; frame < end; ++frame) {
      take(frame, PageKind::unknown);
    }
  }
  memory = std::move(kept);
  return counts;
}

Result<void> check_descriptors(PageDescriptors& descriptors, const KernelMap& map, GuestVirt text,
                               std::uint64_t bytes) {
  const std::uint64_t page_size = descriptors.layout().page_size;
  std::uint64_t seen = 0;
  std::uint64_t good = 0;
  for (std::uint64_t done = 0; done < bytes; done += page_size) {
    const auto after = std::upper_bound(map.runs.begin(), map.runs.end(), text + done,
                                        [](GuestVirt at, const MappedRun& run) { return at < run.at; });
    if (after == map.runs.begin()) {
      break;
    }
    const MappedRun& run = *std::prev(after);
    if (text + done - run.at >= run.bytes) {
      break;
    }
    ++seen;
    const std::uint64_t page = (run.phys + (text + done - run.at)).value / page_size;
    descriptors.each(page, 1, [&](std::uint64_t, PageKind kind) { good += kind == PageKind::reserved ? 1 : 0; });
  }
  if (seen == 0 || good != seen) {
    return fail(Errc::not_found, fmt::format("the kernel's descriptors of pages are not what they were taken for: of "
                                             "{} pages of its own code they call {} reserved",
                                             seen, good));
  }
  return {};
}

}  // namespace xstack
