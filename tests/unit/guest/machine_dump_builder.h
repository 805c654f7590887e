// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <elf.h>

#include <optional>
#include <string>
#include <vector>

#include "guest/prstatus.h"
#include "tests/unit/guest/byte_writer.h"

namespace xstack::test {

/// Notes of a machine's dump: NT_PRSTATUS of two CPUs, whose register words count up from `first_word` and 0x1000 more,
/// and what else is asked for.
struct MachineNotes {
  std::size_t status_size = prstatus::kArm64;
  std::uint64_t first_word = 0x100;
  bool qemu = false;
  std::optional<std::string> vmcoreinfo;

  [[nodiscard]] std::vector<std::byte> build() const {
    ByteWriter out;
    const bool wide = status_size == prstatus::kArm64 || status_size == prstatus::kX86_64;
    for (unsigned cpu = 0; cpu < 2; ++cpu) {
      ByteWriter status;
      status.fill(wide ? prstatus::kRegisters64 : prstatus::kRegisters32);
      for (std::uint64_t i = 0; status.size() < status_size; ++i) {
        const std::uint64_t word = first_word + cpu * 0x1000 + i;
        wide ? status.put(word) : status.put(static_cast<std::uint32_t>(word));
      }
      out.note("CORE", NT_PRSTATUS, status.all());
    }
    for (unsigned cpu = 0; qemu && cpu < 2; ++cpu) {
      ByteWriter state;
      state.put(std::uint32_t{1}).put(std::uint32_t{440}).fill(432);
      state.at<std::uint64_t>(152 + 4 * 24 + 16, 0xffff888000000000 + cpu);  // the base of GS
      state.at<std::uint64_t>(392 + 3 * 8, 0x5000 + cpu * 0x1000);           // CR3
      state.at<std::uint64_t>(432, 0x7f0000000000 + cpu);                    // MSR_KERNEL_GS_BASE
      out.note("QEMU", 0, state.all());
    }
    if (vmcoreinfo) {
      out.note("VMCOREINFO", 0, std::as_bytes(std::span(*vmcoreinfo)));
    }
    return out.all();
  }
};

/// An ELF64 core of a machine: one segment of notes, and one of memory for each piece.
struct VmcoreBuilder {
  struct Piece {
    std::uint64_t physical;
    std::vector<std::byte> bytes;
    std::uint64_t left_out = 0;  ///< bytes that p_memsz has beyond these
  };
  std::uint16_t machine = EM_AARCH64;
  MachineNotes notes;
  std::vector<Piece> pieces;
  bool extended = false;  ///< the number of segments stands in a section header

  [[nodiscard]] std::vector<std::byte> build() const {
    const auto note_bytes = notes.build();
    const std::size_t count = pieces.size() + 1;
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_CORE;
    header.e_machine = machine;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<Elf64_Half>(extended ? PN_XNUM : count);
    const std::size_t section_at = sizeof header + count * sizeof(Elf64_Phdr);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shoff = extended ? section_at : 0;
    header.e_shnum = extended ? 1 : 0;
    ByteWriter out;
    out.put(header);
    std::uint64_t at = section_at + (extended ? sizeof(Elf64_Shdr) : 0);
    const auto segment = [&](std::uint32_t type, std::uint64_t physical, std::uint64_t size, std::uint64_t more) {
      Elf64_Phdr h{};
      h.p_type = type;
      h.p_offset = at;
      h.p_paddr = physical;
      h.p_filesz = size;
      h.p_memsz = size + more;
      out.put(h);
      at += size;
    };
    segment(PT_NOTE, 0, note_bytes.size(), 0);
    for (const Piece& piece : pieces) {
      segment(PT_LOAD, piece.physical, piece.bytes.size(), piece.left_out);
    }
    if (extended) {
      Elf64_Shdr section{};
      section.sh_info = static_cast<Elf64_Word>(count);
      out.put(section);
    }
    out.bytes(note_bytes);
    for (const Piece& piece : pieces) {
      out.bytes(piece.bytes);
    }
    return out.all();
  }
};

inline std::vector<std::byte> filled(std::size_t size, unsigned value) {
  return std::vector<std::byte>(size, std::byte(value));
}

}  // namespace xstack::test
