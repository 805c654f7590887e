// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/page_layout.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <string>
#include <utility>

#include "base/endian.h"

namespace xstack {
namespace {

constexpr std::uint32_t kMostBytes = 512;  // of a descriptor; those seen have 32 to 64
constexpr unsigned kMostOrders = 32;
constexpr std::uint64_t kAnonymous = 1;  // PAGE_MAPPING_ANON and PAGE_MAPPING_MOVABLE: the low bits of page.mapping
constexpr std::uint64_t kMovable = 2;
/// Counts of mappings begin at -1; below this (PAGE_MAPCOUNT_RESERVE) the word is a type.
constexpr std::int32_t kTypesBelow = -128;

/// Reads VMCOREINFO and remembers the first thing that is not there.
class Sayings {
 public:
  explicit Sayings(const Vmcoreinfo& info) : info_(info) {}

  std::uint32_t plain(const char* key, std::uint32_t most) {
    const auto text = info_.value(key);
    std::uint32_t value = 0;
    if (!text) {
      miss(key);
      return 0;
    }
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size() || value > most) {
      miss(key);
    }
    return value;
  }
  std::uint64_t flag(const char* name) {
    const auto bit = info_.number(name);
    if (!bit || *bit > 31) {  // flags of 32-bit kernels; above are zone and node
      miss(name);
      return 0;
    }
    return std::uint64_t{1} << *bit;
  }
  std::optional<std::uint32_t> type(const char* name) {
    const auto value = info_.number(name);
    return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
  }
  void miss(const char* what) {
    if (missing_.empty()) {
      missing_ = what;
    }
  }
  [[nodiscard]] const std::string& missing() const { return missing_; }

 private:
  const Vmcoreinfo& info_;
  std::string missing_;
};

/// Is this word the type `wanted`? Types are a bit that is not set in a word of ones (up to 6.11, where the lowest bits
/// may be in use for something else), or the highest byte of the word (since 6.12).
bool is_type(std::uint32_t word, std::uint32_t wanted) {
  if (static_cast<std::int32_t>(word) >= kTypesBelow) {
    return false;
  }
  if (std::has_single_bit(~wanted)) {
    return (word & ~wanted) == 0;
  }
  return (wanted & 0xffffff) == 0 ? word >> 24 == wanted >> 24 : word == wanted;
}

}  // namespace

const char* to_string(PageKind kind) {
  switch (kind) {
    case PageKind::unknown:
      return "of unknown kind";
    case PageKind::free:
      return "free";
    case PageKind::user:
      return "of processes";
    case PageKind::cache:
      return "of files";
    case PageKind::shared:
      return "shared with processes";
    case PageKind::reserved:
      return "reserved";
    case PageKind::slab:
      return "slab";
    case PageKind::typed:
      return "of other types";
    case PageKind::kernel:
      return "of the kernel";
    case PageKind::idle:
      break;
  }
  return "held by nobody";
}

Result<PageLayout> PageLayout::of(const Vmcoreinfo& info, unsigned word_size) {
  Sayings says(info);
  PageLayout out;
  out.word_size = word_size;
  out.page_size = says.plain("PAGESIZE", 1U << 16);
  out.size = says.plain("SIZE(page)", kMostBytes);
  const std::pair<const char*, std::uint32_t*> members[] = {
      {"OFFSET(page.flags)", &out.flags},
      {"OFFSET(page._refcount)", &out.refcount},
      {"OFFSET(page.mapping)", &out.mapping},
      {"OFFSET(page._mapcount)", &out.mapcount},
      {"OFFSET(page.compound_head)", &out.compound_head},
      {"OFFSET(page.private)", &out.buddy_order},
  };
  for (const auto& [key, place] : members) {
    *place = says.plain(key, out.size - std::min(out.size, word_size));
  }
  out.orders = says.plain("LENGTH(zone.free_area)", kMostOrders);
  out.lru = says.flag("PG_lru");
  out.swapped = says.flag("PG_swapcache") | says.flag("PG_swapbacked");
  out.reserved = says.flag("PG_private") >> 1;
  out.slab_type = says.type("PAGE_SLAB_MAPCOUNT_VALUE");
  if (!out.slab_type) {
    out.slab_flag = says.flag("PG_slab");
  }
  const auto buddy = says.type("PAGE_BUDDY_MAPCOUNT_VALUE");
  if (buddy) {
    out.buddy_type = *buddy;
  } else {
    says.miss("PAGE_BUDDY_MAPCOUNT_VALUE");
  }
  out.hugetlb_type = says.type("PAGE_HUGETLB_MAPCOUNT_VALUE");
  if (!says.missing().empty()) {
    return fail(Errc::not_found,
                fmt::format("the kernel's VMCOREINFO has no {}, or none that makes sense", says.missing()));
  }
  if (out.page_size < 4096 || !std::has_single_bit(out.page_size) || out.size < 4 * word_size) {
    return fail(Errc::bad_format, "the kernel's VMCOREINFO has sizes of pages that cannot be");
  }
  return out;
}

std::optional<std::uint64_t> PageLayout::head_of(std::span<const std::byte> descriptor) const {
  const std::byte* at = descriptor.data() + compound_head;
  const std::uint64_t head = word_size == 4 ? load_le<std::uint32_t>(at) : load_le<std::uint64_t>(at);
  return (head & 1) != 0 ? std::optional(head - 1) : std::nullopt;
}

PageKind PageLayout::kind_of(std::span<const std::byte> descriptor) const {
  const auto word = [&](std::uint32_t offset) -> std::uint64_t {
    const std::byte* at = descriptor.data() + offset;
    return word_size == 4 ? load_le<std::uint32_t>(at) : load_le<std::uint64_t>(at);
  };
  const std::uint64_t bits = word(flags);
  const auto count = load_le<std::uint32_t>(descriptor.data() + mapcount);
  // Most of a descriptor means something else in a slab and in a page that has a type: those come first.
  if (slab_flag ? (bits & *slab_flag) != 0 : is_type(count, *slab_type)) {
    return PageKind::slab;
  }
  if (is_type(count, buddy_type)) {
    return PageKind::free;
  }
  if (static_cast<std::int32_t>(count) < kTypesBelow) {
    return hugetlb_type && is_type(count, *hugetlb_type) ? PageKind::user : PageKind::typed;
  }
  const std::uint64_t owner = word(mapping);
  if (owner != 0) {
    // Movable pages without a process are compressed swap and the balloon's.
    return (owner & (kAnonymous | kMovable)) != 0 ? PageKind::user : PageKind::cache;
  }
  if ((bits & lru) != 0 || (bits & swapped) == swapped) {
    return PageKind::user;
  }
  if ((bits & reserved) != 0) {
    return PageKind::reserved;
  }
  if (static_cast<std::int32_t>(count) >= 0) {
    return PageKind::shared;
  }
  return load_le<std::uint32_t>(descriptor.data() + refcount) == 0 ? PageKind::idle : PageKind::kernel;
}

std::uint64_t PageLayout::pages_in_block(std::span<const std::byte> descriptor) const {
  const std::byte* at = descriptor.data() + buddy_order;
  const std::uint64_t order = word_size == 4 ? load_le<std::uint32_t>(at) : load_le<std::uint64_t>(at);
  return order < orders ? std::uint64_t{1} << order : 1;
}

}  // namespace xstack
