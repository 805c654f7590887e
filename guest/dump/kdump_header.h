// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"

namespace xstack {

/// What the headers of a kdump file say: `struct disk_dump_header` and `struct kdump_sub_header` of makedumpfile's
/// diskdump_mod.h, which are laid out as the C compiler of the machine that wrote them does it; QEMU's dump/dump.h has
/// the same, packed. Offsets and sizes are in bytes of the file, and are not yet held against its length.
struct KdumpHeader {
  bool wide = true;  ///< written with 64-bit longs
  int version = 0;
  std::string machine;  ///< utsname.machine: "x86_64", or empty
  std::uint32_t status = 0;
  std::uint64_t block_size = 0;   ///< the page size that frame numbers count in
  std::uint64_t bitmap_at = 0;    ///< two bitmaps, one after the other: frames that are RAM, and frames that are here
  std::uint64_t bitmap_size = 0;  ///< of one of them
  std::uint64_t max_frames = 0;   ///< frame numbers are below this
  std::uint64_t pages_at = 0;     ///< the page descriptors
  std::uint32_t dump_level = 0;
  bool split = false;                                    ///< one of several files (makedumpfile --split)
  std::uint64_t first_frame = 0, end_frame = 0;          ///< which of them are in this one, when it is split
  std::uint64_t vmcoreinfo_at = 0, vmcoreinfo_size = 0;  ///< size 0: there is none
  std::uint64_t notes_at = 0, notes_size = 0;
};

/// Errors: bad_format, truncated (not even the headers are there).
[[nodiscard]] Result<KdumpHeader> read_kdump_header(std::span<const std::byte> file);

/// Does a file begin like a kdump file?
[[nodiscard]] bool is_kdump(std::span<const std::byte> start);

}  // namespace xstack
