// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/ram_map.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/endian.h"

namespace xstack::xen {
namespace {

void add(std::vector<FrameRange>& ranges, std::uint64_t first, std::uint64_t end) {
  if (first < end) {
    ranges.push_back({GuestPhys(first * kXenPageSize), end - first});
  }
}

constexpr std::uint64_t kLastFrame = (1ULL << 52) - 1;  // beyond it there are no addresses

using TablePage = std::array<std::byte, kXenPageSize>;
constexpr std::uint64_t kEntries = kXenPageSize / 8;
constexpr std::uint64_t kMaxPfn = 1ULL << 24;  // 64 GiB
constexpr std::uint64_t kFrameMask = (1ULL << 40) - 1;

bool read_page(PhysMemory& memory, std::uint64_t frame, TablePage& page) {
  return frame != 0 && frame <= kFrameMask && memory.read(GuestPhys(frame * kXenPageSize), page).has_value();
}

std::uint64_t entry(const TablePage& page, std::uint64_t index) {
  return load_le<std::uint64_t>(page.data() + index * 8);
}

/// The frame of the table's page that holds entry `pfn`.
class P2mPages {
 public:
  virtual ~P2mPages() = default;
  virtual std::optional<std::uint64_t> page_of(std::uint64_t pfn) = 0;
};

/// pfn_to_mfn_frame_list_list: a page of frames of pages of frames of the table's pages.
class ListOfLists final : public P2mPages {
 public:
  ListOfLists(PhysMemory& memory, std::uint64_t top) : memory_(memory), good_(read_page(memory, top, top_)) {}
  std::optional<std::uint64_t> page_of(std::uint64_t pfn) override {
    const std::uint64_t page = pfn / kEntries;
    const std::uint64_t list = page / kEntries;
    if (!good_ || list >= kEntries) {
      return std::nullopt;
    }
    if (list != list_) {
      list_ = list;
      list_good_ = read_page(memory_, entry(top_, list), list_page_);
    }
    return list_good_ ? std::optional(entry(list_page_, page % kEntries)) : std::nullopt;
  }

 private:
  PhysMemory& memory_;
  TablePage top_{};
  TablePage list_page_{};
  std::optional<std::uint64_t> list_;
  bool good_;
  bool list_good_ = false;
};

/// p2m_vaddr in the address space of p2m_cr3: a 4-level walk, whose last table serves the next 512 pages.
class LinearTable final : public P2mPages {
 public:
  LinearTable(PhysMemory& memory, std::uint64_t cr3, std::uint64_t vaddr)
      : memory_(memory), root_(cr3 >> 12), vaddr_(vaddr) {}
  std::optional<std::uint64_t> page_of(std::uint64_t pfn) override {
    const std::uint64_t at = vaddr_ + pfn * 8;
    if (at >> 21 != cached_) {
      cached_ = at >> 21;
      good_ = walk(at);
    }
    const std::uint64_t pte = entry(table_, (at >> 12) & 511);
    return good_ && (pte & 1) != 0 ? std::optional((pte >> 12) & kFrameMask) : std::nullopt;
  }

 private:
  bool walk(std::uint64_t at) {
    std::uint64_t frame = root_;
    for (const unsigned shift : {39U, 30U, 21U}) {
      if (!read_page(memory_, frame, table_)) {
        return false;
      }
      const std::uint64_t pte = entry(table_, (at >> shift) & 511);
      if ((pte & 1) == 0 || (pte & 0x80) != 0) {
        return false;
      }
      frame = (pte >> 12) & kFrameMask;
    }
    return read_page(memory_, frame, table_);
  }

  PhysMemory& memory_;
  std::uint64_t root_;
  std::uint64_t vaddr_;
  TablePage table_{};
  std::optional<std::uint64_t> cached_;
  bool good_ = false;
};

std::vector<FrameRange> collect(PhysMemory& memory, P2mPages& table, std::uint64_t pfns) {
  std::vector<std::uint64_t> frames;
  TablePage page{};
  for (std::uint64_t pfn = 0; pfn < pfns; pfn += kEntries) {
    const auto frame = table.page_of(pfn);
    if (!frame || !read_page(memory, *frame, page)) {
      continue;
    }
    for (std::uint64_t i = 0; i < std::min(kEntries, pfns - pfn); ++i) {
      // Linux marks foreign and identity frames in the two highest bits (arch/x86/include/asm/xen/page.h).
      if (const std::uint64_t mfn = entry(page, i); mfn <= kFrameMask) {
        frames.push_back(mfn);
      }
    }
  }
  std::sort(frames.begin(), frames.end());
  frames.erase(std::unique(frames.begin(), frames.end()), frames.end());
  std::vector<FrameRange> ranges;
  for (const std::uint64_t frame : frames) {
    if (!ranges.empty() &&
        ranges.back().first + ranges.back().count * kXenPageSize == GuestPhys(frame * kXenPageSize)) {
      ++ranges.back().count;
    } else {
      ranges.push_back({GuestPhys(frame * kXenPageSize), 1});
    }
  }
  return ranges;
}

}  // namespace

std::vector<FrameRange> arm_ram(std::uint64_t last_frame) {
  last_frame = std::min(last_frame, kLastFrame);
  constexpr std::uint64_t kBank0 = 0x40000000 / kXenPageSize;
  constexpr std::uint64_t kBank0End = 0x100000000 / kXenPageSize;
  constexpr std::uint64_t kBank1 = 0x200000000 / kXenPageSize;
  constexpr std::uint64_t kBank1End = kBank1 + 0xfe00000000 / kXenPageSize;
  std::vector<FrameRange> ranges;
  if (last_frame < kBank0) {
    add(ranges, 0, last_frame + 1);
    return ranges;
  }
  add(ranges, kBank0, std::min(last_frame + 1, kBank0End));
  if (last_frame >= kBank1) {
    add(ranges, kBank1, std::min(last_frame + 1, kBank1End));
  }
  return ranges;
}

std::vector<FrameRange> hvm_ram(std::uint64_t last_frame, std::uint64_t pages) {
  constexpr std::uint64_t kVga = 0xa0;
  constexpr std::uint64_t kVgaEnd = 0xc0;
  constexpr std::uint64_t kHole = 0xf0000;
  constexpr std::uint64_t kAbove4G = 0x100000;
  const std::uint64_t end = std::min(last_frame, kLastFrame) + 1;
  // The pages that make up for the VGA hole come behind.
  const std::uint64_t low = std::min({end, kHole, std::min(pages, kHole) + (kVgaEnd - kVga)});
  std::vector<FrameRange> ranges;
  add(ranges, 0, std::min(low, kVga));
  add(ranges, kVgaEnd, low);
  add(ranges, kAbove4G, end);
  return ranges;
}

std::vector<FrameRange> pv_ram(PhysMemory& memory, std::uint64_t shared_info_frame) {
  // struct shared_info of a 64-bit guest: 32 vcpu_info of 64 bytes, two bitmaps of 512, and 16 bytes of wall clock.
  constexpr std::size_t kArch = 3088;
  TablePage info{};
  if (!read_page(memory, shared_info_frame, info)) {
    return {};
  }
  const auto field = [&](std::size_t index) { return load_le<std::uint64_t>(&info[kArch + index * 8]); };
  // struct arch_shared_info: max_pfn, pfn_to_mfn_frame_list_list, nmi_reason, p2m_cr3, p2m_vaddr, p2m_generation
  const std::uint64_t pfns = std::min(field(0), kMaxPfn);
  if (field(3) != 0) {
    LinearTable table(memory, field(3), field(4));
    return collect(memory, table, pfns);
  }
  ListOfLists table(memory, field(1));
  return collect(memory, table, pfns);
}

}  // namespace xstack::xen
