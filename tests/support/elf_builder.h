// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace xstack::test {

/// One symbol of a built ELF image.
struct ElfSymbol {
  std::string name;
  std::uint64_t value = 0;
  std::uint64_t size = 0;
  unsigned char type = STT_FUNC;
  unsigned char bind = STB_GLOBAL;
  std::uint16_t section = 1;
};

/// A 64-bit little-endian ELF image that has a symbol table and its strings, nothing else: sections 0 (none), 1 (the
/// table, of type `kind`), 2 (the strings).
struct Elf64Image {
  using Header = Elf64_Ehdr;
  using Segment = Elf64_Phdr;
  using Section = Elf64_Shdr;
  using Symbol = Elf64_Sym;
  static constexpr unsigned char kClass = ELFCLASS64;
};
struct Elf32Image {
  using Header = Elf32_Ehdr;
  using Segment = Elf32_Phdr;
  using Section = Elf32_Shdr;
  using Symbol = Elf32_Sym;
  static constexpr unsigned char kClass = ELFCLASS32;
};

/// The bytes, in this order: header, section headers, symbols, strings. So that a test can spoil what it wants:
/// section header i is at sizeof(Header) + i * sizeof(Section).
template <class Image = Elf64Image>
std::vector<std::byte> build_elf(std::uint16_t machine, const std::vector<ElfSymbol>& symbols,
                                 std::uint32_t kind = SHT_SYMTAB) {
  std::string strings(1, '\0');
  std::vector<typename Image::Symbol> table(1);
  for (const ElfSymbol& symbol : symbols) {
    typename Image::Symbol entry{};
    entry.st_name = static_cast<std::uint32_t>(strings.size());
    entry.st_value = static_cast<decltype(entry.st_value)>(symbol.value);
    entry.st_size = static_cast<decltype(entry.st_size)>(symbol.size);
    entry.st_info = static_cast<unsigned char>(symbol.bind << 4U | symbol.type);
    entry.st_shndx = symbol.section;
    table.push_back(entry);
    strings += symbol.name + '\0';
  }
  typename Image::Header header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = Image::kClass;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = machine;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof header;
  header.e_shoff = sizeof header;
  header.e_shentsize = sizeof(typename Image::Section);
  header.e_shnum = 3;
  std::vector<typename Image::Section> sections(3);
  sections[1].sh_type = kind;
  sections[1].sh_offset = sizeof header + 3 * sizeof(typename Image::Section);
  sections[1].sh_size = static_cast<decltype(sections[1].sh_size)>(table.size() * sizeof table[0]);
  sections[1].sh_link = 2;
  sections[1].sh_entsize = sizeof table[0];
  sections[1].sh_addralign = 8;
  sections[2].sh_type = SHT_STRTAB;
  sections[2].sh_offset = sections[1].sh_offset + sections[1].sh_size;
  sections[2].sh_size = static_cast<decltype(sections[2].sh_size)>(strings.size());
  sections[2].sh_addralign = 1;
  std::vector<std::byte> bytes;
  const auto append = [&](std::span<const std::byte> part) { bytes.insert(bytes.end(), part.begin(), part.end()); };
  append(std::as_bytes(std::span(&header, 1)));
  append(std::as_bytes(std::span(sections)));
  append(std::as_bytes(std::span(table)));
  append(std::as_bytes(std::span(strings)));
  return bytes;
}

/// Puts a segment with these bytes behind an image that has none.
template <class Image = Elf64Image>
void add_segment(std::vector<std::byte>& image, std::uint64_t address, std::span<const std::byte> bytes) {
  typename Image::Segment segment{};
  segment.p_type = PT_LOAD;
  segment.p_vaddr = static_cast<decltype(segment.p_vaddr)>(address);
  segment.p_filesz = segment.p_memsz = static_cast<decltype(segment.p_filesz)>(bytes.size());
  segment.p_offset = static_cast<decltype(segment.p_offset)>(image.size() + sizeof segment);
  typename Image::Header header;
  std::memcpy(&header, image.data(), sizeof header);
  header.e_phoff = static_cast<decltype(header.e_phoff)>(image.size());
  header.e_phnum = 1;
  header.e_phentsize = sizeof segment;
  std::memcpy(image.data(), &header, sizeof header);
  const auto described = std::as_bytes(std::span(&segment, 1));
  image.insert(image.end(), described.begin(), described.end());
  image.insert(image.end(), bytes.begin(), bytes.end());
}

}  // namespace xstack::test
