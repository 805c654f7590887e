// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "guest/guest.h"
#include "vmcore/elf_core.h"

namespace xstack {

/// How each page of a kdump-compressed file is packed.
enum class PageCompression : std::uint8_t { none, zlib, zstd };

/// struct new_utsname (include/uapi/linux/utsname.h): six texts of 65 bytes with their NULs.
inline constexpr std::size_t kUtsBytes = 65;
using Utsname = std::array<std::byte, 6 * kUtsBytes>;

/// The guest's own, which lies at `at`; nothing when it cannot be read or is none.
[[nodiscard]] std::optional<Utsname> read_utsname(VirtMemory& memory, GuestVirt at);
/// What is known without it: readers want the machine's name to tell the architecture.
[[nodiscard]] Utsname make_utsname(ArchId arch, std::string_view release);

/// What a kdump file says besides notes and memory.
struct KdumpContents {
  std::uint64_t page_size = 0;  ///< of the kernel: pages are counted and packed in these
  Utsname uts{};
  std::uint64_t phys_base = 0;   ///< as readers of the architecture want it: x86-64 phys_base, ARM the start of RAM
  std::uint32_t dump_level = 0;  ///< makedumpfile's bits of what is left out: 2 and 4 files, 8 processes, 16 free
  std::uint64_t time = 0;        ///< seconds since 1970
  PageCompression compression = PageCompression::zlib;
};

/// Pages by number, ascending and disjoint.
struct PageRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

/// Where everything of a kdump-compressed file lies: header, sub header with notes, two bitmaps (which pages there are,
/// which are in the file), a descriptor for each of the latter, pages. All of it is known before the first page is
/// read, but for how long pages get.
struct KdumpPlan {
  std::vector<std::byte> head;   ///< all that comes before the bitmaps
  std::vector<PageRun> present;  ///< the first bitmap
  std::vector<PageRun> pages;    ///< the second
  std::uint64_t page_count = 0;  ///< of `pages`
  std::uint64_t page_size = 0;
  std::uint64_t bitmap_bytes = 0;  ///< of one
  std::uint64_t bitmaps_at = 0;    ///< offsets in the file
  std::uint64_t descriptors_at = 0;
  std::uint64_t data_at = 0;
  PageCompression compression = PageCompression::zlib;
};

/// `present` and `kept` are in Xen's pages; a page of the kernel is there when any part of it is. The layout is
/// makedumpfile's diskdump_mod.h, version 6, in the form that a program of the guest's word size gives it. Errors:
/// too_large.
[[nodiscard]] Result<KdumpPlan> plan_kdump(const CoreContents& contents, const KdumpContents& kdump,
                                           std::span<const FrameRange> present, std::span<const FrameRange> kept);

/// One bitmap's bytes, `bytes` of them from byte `from` on: a bit for each page of `runs`, the lowest first.
[[nodiscard]] std::vector<std::byte> bitmap_piece(std::span<const PageRun> runs, std::uint64_t from, std::size_t bytes);

}  // namespace xstack
