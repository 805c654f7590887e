// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/elf_file.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/checked.h"

namespace xstack {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint64_t kMaxSegments = 1U << 20;

template <class T>
std::optional<T> load_struct(Bytes bytes, std::uint64_t offset) {
  const auto part = slice(bytes, offset, sizeof(T));
  if (!part) {
    return std::nullopt;
  }
  T value;
  std::memcpy(&value, part->data(), sizeof value);
  return value;
}

/// The part of [offset, offset + size) that the file holds.
Bytes clipped(Bytes file, std::uint64_t offset, std::uint64_t size) {
  if (offset >= file.size()) {
    return {};
  }
  const auto at = static_cast<std::size_t>(offset);
  return file.subspan(at, static_cast<std::size_t>(std::min<std::uint64_t>(size, file.size() - at)));
}

std::string name_at(Bytes table, std::uint32_t offset) {
  std::string name;
  for (std::size_t i = offset; i < table.size() && name.size() < 256; ++i) {
    if (table[i] == std::byte{0}) {
      return name;
    }
    name.push_back(static_cast<char>(table[i]));
  }
  return {};
}

struct Elf32 {
  using Ehdr = Elf32_Ehdr;
  using Shdr = Elf32_Shdr;
  using Phdr = Elf32_Phdr;
};
struct Elf64 {
  using Ehdr = Elf64_Ehdr;
  using Shdr = Elf64_Shdr;
  using Phdr = Elf64_Phdr;
};

template <class Elf>
Result<ElfFile> parse_headers(Bytes file) {
  const auto header = load_struct<typename Elf::Ehdr>(file, 0);
  if (!header) {
    return fail(Errc::truncated, "the file ends in its ELF header");
  }
  if (header->e_type != ET_CORE) {
    return fail(Errc::bad_format, "an ELF file, but not a core: no dump of a guest");
  }
  ElfFile elf;
  elf.machine = header->e_machine;
  elf.bits = sizeof(typename Elf::Ehdr) == sizeof(Elf32_Ehdr) ? 32 : 64;

  // The counts are 16 bits wide, so these loops are short whatever the file says. The exception is extended numbering,
  // where the count is in the first section header, and has a bound of its own.
  std::vector<typename Elf::Shdr> headers;
  if (header->e_shnum != 0 && header->e_shentsize != sizeof(typename Elf::Shdr)) {
    return fail(Errc::bad_format, "section headers of an unknown size");
  }
  for (std::uint64_t i = 0; i < header->e_shnum; ++i) {
    const auto at = checked_add<std::uint64_t>(header->e_shoff, i * sizeof(typename Elf::Shdr));
    const auto section = at ? load_struct<typename Elf::Shdr>(file, *at) : std::nullopt;
    if (!section) {
      break;
    }
    headers.push_back(*section);
  }
  Bytes names;
  if (header->e_shstrndx < headers.size()) {
    names = clipped(file, headers[header->e_shstrndx].sh_offset, headers[header->e_shstrndx].sh_size);
  }
  for (const auto& h : headers) {
    ElfSection section;
    section.name = name_at(names, h.sh_name);
    section.type = h.sh_type;
    section.entry_size = h.sh_entsize;
    if (h.sh_type != SHT_NULL && h.sh_type != SHT_NOBITS) {
      section.bytes = clipped(file, h.sh_offset, h.sh_size);
      section.cut = section.bytes.size() < h.sh_size;
    }
    elf.sections.push_back(std::move(section));
  }

  if (header->e_phnum != 0 && header->e_phentsize != sizeof(typename Elf::Phdr)) {
    return fail(Errc::bad_format, "program headers of an unknown size");
  }
  std::uint64_t segments = header->e_phnum;
  if (segments == PN_XNUM) {
    const auto first = load_struct<typename Elf::Shdr>(file, header->e_shoff);
    segments = first ? std::min<std::uint64_t>(first->sh_info, kMaxSegments) : PN_XNUM;
  }
  for (std::uint64_t i = 0; i < segments; ++i) {
    const auto at = checked_add<std::uint64_t>(header->e_phoff, i * sizeof(typename Elf::Phdr));
    const auto h = at ? load_struct<typename Elf::Phdr>(file, *at) : std::nullopt;
    if (!h) {
      elf.cut = true;
      break;
    }
    ElfSegment segment;
    segment.type = h->p_type;
    segment.physical = h->p_paddr;
    segment.memory_size = h->p_memsz;
    segment.bytes = clipped(file, h->p_offset, h->p_filesz);
    segment.cut = segment.bytes.size() < h->p_filesz;
    elf.segments.push_back(segment);
  }
  if (elf.sections.empty() && elf.segments.empty()) {
    return fail(Errc::truncated, "the file ends before its table of contents");
  }
  return elf;
}

}  // namespace

const ElfSection* ElfFile::section(std::string_view name) const {
  const auto found = std::find_if(sections.begin(), sections.end(), [&](const auto& s) { return s.name == name; });
  return found == sections.end() ? nullptr : &*found;
}

Result<ElfFile> parse_elf(Bytes file) {
  if (file.size() < SELFMAG || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0) {
    return fail(Errc::bad_format, "not an ELF file");
  }
  if (file.size() > EI_DATA && file[EI_DATA] != std::byte{ELFDATA2LSB}) {
    return fail(Errc::unsupported, "a big-endian ELF file");
  }
  if (file.size() > EI_CLASS && file[EI_CLASS] == std::byte{ELFCLASS32}) {
    return parse_headers<Elf32>(file);
  }
  if (file.size() > EI_CLASS && file[EI_CLASS] != std::byte{ELFCLASS64}) {
    return fail(Errc::bad_format, "an ELF file that is neither a 32-bit nor a 64-bit one");
  }
  return parse_headers<Elf64>(file);
}

std::vector<ElfNote> segment_notes(const ElfFile& elf) {
  constexpr int kSegments = 4;
  std::vector<ElfNote> notes;
  int seen = 0;
  for (const auto& segment : elf.segments) {
    if (segment.type == PT_NOTE && seen++ < kSegments) {
      const auto some = parse_notes(segment.bytes);
      notes.insert(notes.end(), some.begin(), some.end());
    }
  }
  return notes;
}

std::vector<ElfNote> parse_notes(Bytes bytes) {
  const auto padded = [](std::uint64_t n) { return (n + 3) & ~std::uint64_t{3}; };
  std::vector<ElfNote> notes;
  std::uint64_t at = 0;
  while (const auto header = load_struct<Elf64_Nhdr>(bytes, at)) {
    // All three are 32 bits wide and `at` is below the file's size: no sum here overflows.
    const std::uint64_t name_offset = at + sizeof(Elf64_Nhdr);
    const std::uint64_t data_offset = name_offset + padded(header->n_namesz);
    const auto name = slice(bytes, name_offset, header->n_namesz);
    const auto data = slice(bytes, data_offset, header->n_descsz);
    if (!name || !data) {
      break;
    }
    std::string_view vendor(reinterpret_cast<const char*>(name->data()), name->size());
    vendor = vendor.substr(0, vendor.find('\0'));
    notes.push_back({vendor, header->n_type, *data});
    at = data_offset + padded(header->n_descsz);
  }
  return notes;
}

}  // namespace xstack
