// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <elf.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/address.h"

namespace xstack::test {

/// Builds dump-core files as xl writes them: headers first, then notes, registers, pages and the table, names last.
struct DumpCoreBuilder {
  std::uint16_t machine = EM_ARM;
  std::uint64_t magic = 0xf00febee;
  std::uint64_t page_size = kXenPageSize;
  std::size_t context_size = 352;
  std::vector<std::vector<std::byte>> contexts = {std::vector<std::byte>(352)};
  bool p2m = false;
  std::vector<std::uint64_t> frames;        ///< of each page; page i is filled with bytes of value i + 1
  std::uint64_t claimed_table_entries = 0;  ///< added to the table's size without being there
  std::uint64_t claimed_vcpus = 0;          ///< added to what the header note says
  std::string capabilities = "xen-3.0-aarch64 xen-3.0-armv7l ";

  [[nodiscard]] std::vector<std::byte> build() const {
    std::vector<std::byte> out;
    const auto put = [&](const void* data, std::size_t size) {
      const auto* bytes = static_cast<const std::byte*>(data);
      out.insert(out.end(), bytes, bytes + size);
    };
    const auto put64 = [&](std::uint64_t value) { put(&value, sizeof value); };
    const auto note = [&](std::uint32_t type, std::uint32_t size) {
      const std::uint32_t head[] = {4, size, type};
      put(head, sizeof head);
      put("Xen", 4);
    };
    constexpr std::size_t kSections = 6;
    Elf64_Ehdr ehdr{};
    std::memcpy(ehdr.e_ident, ELFMAG, SELFMAG);
    ehdr.e_ident[EI_CLASS] = ELFCLASS64;
    ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
    ehdr.e_type = ET_CORE;
    ehdr.e_machine = machine;
    ehdr.e_shoff = sizeof ehdr;
    ehdr.e_shentsize = sizeof(Elf64_Shdr);
    ehdr.e_shnum = kSections;
    ehdr.e_shstrndx = 1;
    put(&ehdr, sizeof ehdr);
    const std::size_t headers = out.size();
    out.resize(headers + kSections * sizeof(Elf64_Shdr));
    Elf64_Shdr sections[kSections] = {};

    sections[2].sh_offset = out.size();
    note(0x2000000, 0);
    note(0x2000001, 32);
    put64(magic);
    put64(contexts.size() + claimed_vcpus);
    put64(frames.size());
    put64(page_size);
    note(0x2000002, 1280);
    std::vector<std::byte> version(1280);
    version[0] = std::byte{4};
    version[8] = std::byte{17};
    std::memcpy(&version[16], ".5", 2);
    std::memcpy(&version[176], capabilities.data(), capabilities.size());
    put(version.data(), version.size());
    note(0x2000003, 8);
    put64(1);
    sections[2].sh_size = out.size() - sections[2].sh_offset;
    sections[2].sh_type = SHT_NOTE;

    sections[3] = {0, SHT_PROGBITS, 0, 0, out.size(), contexts.size() * context_size, 0, 0, 8, context_size};
    for (const auto& context : contexts) {
      put(context.data(), context.size());
    }
    out.resize((out.size() + kXenPageSize - 1) / kXenPageSize * kXenPageSize);
    sections[4] = {0, SHT_PROGBITS, 0, 0, out.size(), frames.size() * kXenPageSize, 0, 0, kXenPageSize, kXenPageSize};
    for (std::size_t i = 0; i < frames.size(); ++i) {
      out.resize(out.size() + kXenPageSize, std::byte(i + 1));
    }
    const std::size_t entry = p2m ? 16 : 8;
    sections[5] = {0, SHT_PROGBITS, 0, 0, out.size(), (frames.size() + claimed_table_entries) * entry, 0, 0, 8, entry};
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (p2m) {
        put64(i);
      }
      put64(frames[i]);
    }
    const std::string names[] = {
        "", ".shstrtab", ".note.Xen", ".xen_prstatus", ".xen_pages", p2m ? ".xen_p2m" : ".xen_pfn"};
    sections[1].sh_type = SHT_STRTAB;
    sections[1].sh_offset = out.size();
    for (std::size_t i = 0; i < kSections; ++i) {
      sections[i].sh_name = static_cast<Elf64_Word>(out.size() - sections[1].sh_offset);
      put(names[i].c_str(), names[i].size() + 1);
    }
    sections[1].sh_size = out.size() - sections[1].sh_offset;
    std::memcpy(&out[headers], sections, sizeof sections);
    return out;
  }
};

}  // namespace xstack::test
