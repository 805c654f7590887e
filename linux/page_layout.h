// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/error.h"
#include "linux/vmcoreinfo.h"

namespace xstack {

/// What Linux uses a page for, as far as the page's descriptor (struct page) says.
enum class PageKind : std::uint8_t {
  unknown,   ///< no descriptor, or none that can be read
  free,      ///< in the buddy allocator; what was in it last may still be there
  user,      ///< a process's: anonymous, swapped, huge, or about to become so
  cache,     ///< the contents of files and of file systems, tmpfs included
  shared,    ///< the kernel's, and mapped by a process: rings of perf, packet sockets, io_uring
  reserved,  ///< the kernel's image, what it took at boot, the firmware's
  slab,      ///< small objects of the kernel
  typed,     ///< of another type that the kernel says: page tables, ballooned pages, compressed swap
  kernel,    ///< allocated, and neither of a type nor a process's: stacks, vmalloc, modules, buffers
  idle,      ///< like `kernel`, and held by nobody: part of a larger allocation, or on a CPU's list of free pages
};
inline constexpr std::size_t kPageKinds = 10;

[[nodiscard]] const char* to_string(PageKind kind);

/// Where the members of struct page (include/linux/mm_types.h) are and what their values mean, by the kernel's own
/// word for crash dumps. That is what makedumpfile goes by as well.
struct PageLayout {
  std::uint64_t page_size = 0;  ///< of the kernel: what one descriptor stands for
  std::uint32_t size = 0;       ///< of a descriptor, in bytes
  unsigned word_size = 8;
  std::uint32_t flags = 0;  ///< offsets of members, each inside `size`
  std::uint32_t refcount = 0;
  std::uint32_t mapping = 0;
  std::uint32_t mapcount = 0;  ///< also the page's type
  std::uint32_t compound_head = 0;
  std::uint32_t buddy_order = 0;  ///< page.private of a free block
  unsigned orders = 0;            ///< of free blocks: 0 to this, exclusive
  std::uint64_t lru = 0;          ///< a flag
  std::uint64_t swapped = 0;   ///< two flags, which count together: PG_swapcache alone is PG_pinned of a Xen PV guest
  std::uint64_t reserved = 0;  ///< a flag: the one before PG_private in enum pageflags of every kernel that has both
  std::optional<std::uint64_t> slab_flag;  ///< before 6.10
  std::optional<std::uint32_t> slab_type;  ///< since
  std::uint32_t buddy_type = 0;
  std::optional<std::uint32_t> hugetlb_type;  ///< since 6.11

  /// Errors: not_found, which names what the kernel does not say; bad_format for what cannot be.
  [[nodiscard]] static Result<PageLayout> of(const Vmcoreinfo& info, unsigned word_size);

  /// The head of the allocation that this descriptor is a later page of, if it is one.
  [[nodiscard]] std::optional<std::uint64_t> head_of(std::span<const std::byte> descriptor) const;
  /// For a descriptor of `size` bytes that is no later page of an allocation.
  [[nodiscard]] PageKind kind_of(std::span<const std::byte> descriptor) const;
  /// Pages in the free block that begins here; 1 when its order cannot be.
  [[nodiscard]] std::uint64_t pages_in_block(std::span<const std::byte> descriptor) const;
};

}  // namespace xstack
