// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/page_kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace xstack {
namespace {

constexpr std::uint64_t kBatch = 256;  // descriptors read at once
constexpr std::uint64_t kMostPages = std::uint64_t{1} << 40;

std::optional<std::uint64_t> plain(const Vmcoreinfo& info, const char* key) {
  const auto text = info.value(key);
  std::uint64_t value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc()) {
    return std::nullopt;
  }
  return value;
}

/// section_mem_map (include/linux/mmzone.h) has flags below its address; present and with descriptors are these two.
constexpr std::uint64_t kSectionHasMap = 3;

}  // namespace

Result<PageDescriptors> PageDescriptors::find(const Vmcoreinfo& info, VirtMemory& memory, unsigned word_size) {
  const auto layout = PageLayout::of(info, word_size);
  if (!layout) {
    return tl::unexpected(layout.error());
  }
  PageDescriptors out(memory, *layout);
  const auto ok = info.symbol("mem_section") ? out.find_sections(info) : out.find_flat(info);
  return ok ? Result<PageDescriptors>(out) : tl::unexpected(ok.error());
}

Result<void> PageDescriptors::find_flat(const Vmcoreinfo& info) {
  const auto node = info.symbol("contig_page_data");
  const auto map = plain(info, "OFFSET(pglist_data.node_mem_map)");
  const auto first = plain(info, "OFFSET(pglist_data.node_start_pfn)");
  const auto count = plain(info, "OFFSET(pglist_data.node_spanned_pages)");
  if (!node || !map || !first || !count) {
    return fail(Errc::not_found, "the kernel's VMCOREINFO does not say where the descriptors of its pages are");
  }
  const auto at = memory_->read_word(*node + *map, layout_.word_size);
  const auto begin = memory_->read_word(*node + *first, layout_.word_size);
  const auto pages = memory_->read_word(*node + *count, layout_.word_size);
  if (!at || !begin || !pages) {
    return fail(Errc::unreadable, "the kernel's node, which says where the descriptors of pages are, cannot be read");
  }
  if (*at == 0 || *begin > kMostPages || *pages > kMostPages) {
    return fail(Errc::bad_format, "the kernel's node says what cannot be of the descriptors of pages");
  }
  flat_ = GuestVirt(*at);
  flat_first_ = *begin;
  flat_count_ = *pages;
  return {};
}

Result<void> PageDescriptors::find_sections(const Vmcoreinfo& info) {
  const auto length = plain(info, "LENGTH(mem_section)");
  const auto bytes = plain(info, "SIZE(mem_section)");
  const auto map = plain(info, "OFFSET(mem_section.section_mem_map)");
  const auto section_bits = info.number("SECTION_SIZE_BITS");
  const auto memory_bits = info.number("MAX_PHYSMEM_BITS");
  if (!length || !bytes || !map || !section_bits || !memory_bits) {
    return fail(Errc::not_found, "the kernel's VMCOREINFO does not say all of how its memory is cut into sections");
  }
  const std::uint64_t page = layout_.page_size;
  unsigned page_bits = 0;
  while (page >> page_bits > 1) {
    ++page_bits;
  }
  if (*bytes == 0 || *bytes > 4096 || *map + layout_.word_size > *bytes || *memory_bits > 56 ||
      *section_bits > *memory_bits || *section_bits <= page_bits) {
    return fail(Errc::bad_format, "the kernel's VMCOREINFO has sections of memory that cannot be");
  }
  sections_ = *info.symbol("mem_section");
  section_bytes_ = static_cast<std::uint32_t>(*bytes);
  section_map_ = static_cast<std::uint32_t>(*map);
  section_shift_ = static_cast<unsigned>(*section_bits) - page_bits;
  section_count_ = std::uint64_t{1} << (*memory_bits - *section_bits);
  const std::uint64_t per_root = page / *bytes;  // SECTIONS_PER_ROOT of SPARSEMEM_EXTREME
  if (*length == section_count_) {
    per_root_ = 0;
  } else if (*length == (section_count_ + per_root - 1) / per_root) {
    per_root_ = per_root;
  } else {
    return fail(Errc::not_found, fmt::format("{} sections of memory and a list of {} fit no layout that is known",
                                             section_count_, *length));
  }
  return {};
}

std::optional<GuestVirt> PageDescriptors::place_of(std::uint64_t page, std::uint64_t& last) {
  if (flat_) {
    if (page < flat_first_ || page - flat_first_ >= flat_count_) {
      last = page < flat_first_ ? flat_first_ : ~std::uint64_t{0};
      return std::nullopt;
    }
    last = flat_first_ + flat_count_;
    return *flat_ + (page - flat_first_) * layout_.size;
  }
  const std::uint64_t section = page >> section_shift_;
  last = (section + 1) << section_shift_;
  if (known_section_ != section) {
    known_section_ = section;
    known_map_.reset();
    if (section < section_count_) {
      auto entry = tl::expected<std::uint64_t, Fault>(sections_.value);
      std::uint64_t index = section;
      if (per_root_ != 0) {
        entry = memory_->read_word(sections_ + section / per_root_ * layout_.word_size, layout_.word_size);
        index = section % per_root_;
      }
      if (entry && *entry != 0) {
        const auto map =
            memory_->read_word(GuestVirt(*entry) + index * section_bytes_ + section_map_, layout_.word_size);
        if (map && (*map & kSectionHasMap) == kSectionHasMap) {
          // Arrays of descriptors begin at a page, and flags are below the number of pages in a section.
          known_map_ = *map & ~((std::uint64_t{1} << std::min(12U, section_shift_)) - 1);
        }
      }
    }
  }
  if (!known_map_) {
    return std::nullopt;
  }
  const std::uint64_t at = *known_map_ + page * layout_.size;  // the map is counted from page 0, modulo a word
  return GuestVirt(layout_.word_size == 4 ? at & 0xffffffff : at);
}

PageKind PageDescriptors::kind_of(std::span<const std::byte> descriptor, std::uint64_t page) {
  const auto head = layout_.head_of(descriptor);
  if (!head) {
    return layout_.kind_of(descriptor);
  }
  if (known_head_ != *head) {
    known_head_ = *head;
    head_kind_ = PageKind::unknown;
    // The head is another descriptor of the same array, before this one.
    std::uint64_t last = 0;
    const auto here = place_of(page, last);
    std::vector<std::byte> bytes(layout_.size);
    if (here && *head < here->value && (here->value - *head) % layout_.size == 0 &&
        memory_->read(GuestVirt(*head), bytes) && !layout_.head_of(bytes)) {
      head_kind_ = layout_.kind_of(bytes);
    }
  }
  return head_kind_;
}

void PageDescriptors::each(std::uint64_t first, std::uint64_t count,
                           const std::function<void(std::uint64_t, PageKind)>& tell) {
  // A free block's first page alone says that it is free. Blocks are aligned to their size.
  const std::uint64_t largest = std::uint64_t{1} << (layout_.orders == 0 ? 0 : layout_.orders - 1);
  const std::uint64_t end = first + count;
  std::vector<std::byte> bytes;
  std::uint64_t page = first & ~(largest - 1);
  if (looked_until_ <= first) {
    page = std::max(page, looked_until_);
  } else {
    free_until_ = 0;
  }
  looked_until_ = end;
  while (page < end) {
    std::uint64_t last = 0;
    const auto at = place_of(page, last);
    const std::uint64_t stop = std::min(last, end);
    if (!at) {
      for (; page < stop; ++page) {
        if (page >= first) {
          tell(page, PageKind::unknown);
        }
      }
      continue;
    }
    const std::uint64_t pages = std::min(kBatch, stop - page);
    bytes.resize(static_cast<std::size_t>(pages * layout_.size));
    const bool whole = memory_->read(*at, bytes).has_value();
    for (std::uint64_t i = 0; i < pages; ++i, ++page) {
      const auto one = std::span(bytes).subspan(static_cast<std::size_t>(i * layout_.size), layout_.size);
      PageKind kind = PageKind::unknown;
      if (whole || memory_->read(*at + i * layout_.size, one)) {
        kind = page < free_until_ ? PageKind::free : kind_of(one, page);
        if (kind == PageKind::free && page >= free_until_) {
          free_until_ = page + layout_.pages_in_block(one);
        }
      }
      if (page >= first) {
        tell(page, kind);
      }
    }
  }
}

}  // namespace xstack
