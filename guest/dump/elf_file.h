// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace xstack {

/// A section of an ELF file: the part of it that the file holds.
struct ElfSection {
  std::string name;  ///< empty when the string table is missing or does not hold it
  std::uint32_t type = 0;
  std::uint64_t entry_size = 0;
  std::span<const std::byte> bytes;
  bool cut = false;  ///< the file ends before the section does
};

struct ElfSegment {
  std::uint32_t type = 0;
  std::uint64_t physical = 0;     ///< p_paddr
  std::uint64_t memory_size = 0;  ///< p_memsz
  std::span<const std::byte> bytes;
  bool cut = false;
};

struct ElfNote {
  std::string_view vendor;  ///< without its NUL
  std::uint32_t type = 0;
  std::span<const std::byte> bytes;
};

/// What there is in a little-endian ELF core file, of 32 or 64 bits. All spans point into the file's bytes.
struct ElfFile {
  std::uint16_t machine = 0;  ///< EM_*
  unsigned bits = 64;         ///< 32 or 64
  bool cut = false;           ///< the file ends in its program headers
  std::vector<ElfSection> sections;
  std::vector<ElfSegment> segments;

  [[nodiscard]] const ElfSection* section(std::string_view name) const;
};

/// Reads headers; libelf would do, but not for files that are cut short, which is how many dumps end. Errors:
/// bad_format, truncated (not even the headers are there), unsupported (big-endian).
[[nodiscard]] Result<ElfFile> parse_elf(std::span<const std::byte> file);

/// The notes of the file's first few PT_NOTE segments: a core has one or two, and headers that name the same bytes
/// thousands of times are no reason to read them so often.
[[nodiscard]] std::vector<ElfNote> segment_notes(const ElfFile& elf);

/// The notes in a PT_NOTE segment or SHT_NOTE section, up to the first that is not whole.
[[nodiscard]] std::vector<ElfNote> parse_notes(std::span<const std::byte> bytes);

}  // namespace xstack
