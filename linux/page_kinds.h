// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/error.h"
#include "guest/memory.h"
#include "linux/page_layout.h"
#include "linux/vmcoreinfo.h"

namespace xstack {

/// The kernel's descriptors of all of its pages, wherever they are: one array (FLATMEM), or one for each section of
/// memory (SPARSEMEM, its list of sections in one piece or in two steps).
class PageDescriptors {
 public:
  /// `memory` is the kernel's; it must outlive this. Errors: as PageLayout::of; not_found when the kernel does not say
  /// where its descriptors are; unreadable.
  [[nodiscard]] static Result<PageDescriptors> find(const Vmcoreinfo& info, VirtMemory& memory, unsigned word_size);

  [[nodiscard]] const PageLayout& layout() const { return layout_; }

  /// Says what each of `count` pages from number `first` on is, in order. Numbers are physical addresses divided by
  /// the kernel's page size; of an x86 PV guest, those that its kernel uses. Cheapest with ascending numbers.
  void each(std::uint64_t first, std::uint64_t count, const std::function<void(std::uint64_t, PageKind)>& tell);

 private:
  PageDescriptors(VirtMemory& memory, PageLayout layout) : memory_(&memory), layout_(layout) {}
  [[nodiscard]] Result<void> find_flat(const Vmcoreinfo& info);
  [[nodiscard]] Result<void> find_sections(const Vmcoreinfo& info);
  /// The descriptor's address; `last` is set to the first page behind those that lie in one piece with it.
  [[nodiscard]] std::optional<GuestVirt> place_of(std::uint64_t page, std::uint64_t& last);
  [[nodiscard]] PageKind kind_of(std::span<const std::byte> descriptor, std::uint64_t page);

  VirtMemory* memory_;
  PageLayout layout_;
  // FLATMEM
  std::optional<GuestVirt> flat_;  ///< of page flat_first_
  std::uint64_t flat_first_ = 0;
  std::uint64_t flat_count_ = 0;
  // SPARSEMEM
  GuestVirt sections_;
  std::uint64_t section_count_ = 0;
  std::uint32_t section_bytes_ = 0;  ///< of struct mem_section
  std::uint32_t section_map_ = 0;    ///< offset of section_mem_map in it
  unsigned section_shift_ = 0;       ///< pages in a section, as a power of two
  std::uint64_t per_root_ = 0;       ///< struct mem_section in a block of them; 0: all lie in one array
  std::optional<std::uint64_t> known_section_;
  std::optional<std::uint64_t> known_map_;  ///< section_mem_map without its flags
  // The head that was looked at last: its later pages come right behind it.
  std::optional<std::uint64_t> known_head_;
  PageKind head_kind_ = PageKind::unknown;
  std::uint64_t looked_until_ = 0;
  std::uint64_t free_until_ = 0;  ///< the end of the free block that was seen last
};

}  // namespace xstack
