// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/vmcoreinfo_pointer.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <vector>

#include "base/endian.h"

namespace xstack {
namespace {

constexpr std::uint64_t kDataBytes = 24U << 20;
constexpr std::uint64_t kDataHole = 32U << 20;
constexpr std::size_t kMaxPages = 1024;
constexpr std::size_t kBatch = 256;
constexpr std::size_t kNeighbours = 4;  // words; the linker may put a variable between
constexpr std::string_view kFirstKey = "OSRELEASE=";

/// Addresses in the order they were met, each once, as many as will be looked at.
class Candidates {
 public:
  void add(std::uint64_t address) {
    if (order_.size() < kMaxPages && seen_.insert(address).second) {
      order_.emplace_back(address);
    }
  }
  [[nodiscard]] const std::vector<GuestVirt>& all() const { return order_; }

 private:
  std::set<std::uint64_t> seen_;
  std::vector<GuestVirt> order_;
};

bool could_be_length(std::uint64_t value) {
  return value >= 256 && value <= kMaxVmcoreinfo;
}

std::optional<Vmcoreinfo> look_at(VirtMemory& search, std::span<const GuestVirt> pages) {
  for (std::size_t first = 0; first < pages.size(); first += kBatch) {
    const auto batch = pages.subspan(first, std::min(kBatch, pages.size() - first));
    search.prefetch(batch);
    for (const GuestVirt page : batch) {
      std::array<char, kFirstKey.size()> start{};
      if (!search.read(page, std::as_writable_bytes(std::span(start))) ||
          std::string_view(start.data(), start.size()) != kFirstKey) {
        continue;
      }
      if (auto info = read_vmcoreinfo(search, page)) {
        return info;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Vmcoreinfo> find_vmcoreinfo_by_pointer(PageProbe& probe, VirtMemory& search,
                                                     const VmcoreinfoPlace& place) {
  const std::size_t word_size = place.word_size;
  const std::uint64_t lowest = word_size == 4 ? 0x40000000 : 0xff00000000000000;
  const std::uint64_t highest = word_size == 4 ? 0xfffff000 : 0xfffffffffffff000;
  const std::size_t overlap = 2 * kNeighbours * word_size;
  const auto search_in = [&](std::span<const ScanBounds> parts) -> std::optional<Vmcoreinfo> {
    Candidates likely;
    Candidates others;
    const auto visit = [&](GuestVirt, std::span<const std::byte> bytes) {
      const std::size_t words = bytes.size() / word_size;
      const auto word = [&](std::size_t i) -> std::uint64_t {
        const std::byte* at = bytes.data() + i * word_size;
        return word_size == 4 ? load_le<std::uint32_t>(at) : load_le<std::uint64_t>(at);
      };
      for (std::size_t i = 0; i < words; ++i) {
        const std::uint64_t value = word(i);
        if (value % kXenPageSize != 0 || value < lowest || value >= highest ||
            (value >= place.image_begin.value && value < place.data_begin.value)) {
          continue;
        }
        bool length = false;
        for (std::size_t j = i - std::min(i, kNeighbours); j <= i + kNeighbours && j < words; ++j) {
          length = length || could_be_length(word(j));
        }
        (length ? likely : others).add(value);
      }
      return true;
    };
    for (const ScanBounds& part : parts) {
      scan_mapped(probe, search, part, overlap, visit);
    }
    if (auto info = look_at(search, likely.all())) {
      return info;
    }
    const std::size_t left = kMaxPages - likely.all().size();
    return look_at(search, std::span(others.all()).first(std::min(left, others.all().size())));
  };
  std::vector<ScanBounds> pages;
  for (const GuestVirt page : place.likely) {
    pages.push_back({page, page + kXenPageSize, kXenPageSize, kXenPageSize});
  }
  if (auto info = search_in(pages)) {
    return info;
  }
  const ScanBounds everything{place.data_begin, GuestVirt(highest), kDataBytes, kDataHole};
  return search_in(std::span(&everything, 1));
}

}  // namespace xstack
