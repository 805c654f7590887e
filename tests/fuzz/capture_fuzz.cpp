// SPDX-License-Identifier: LGPL-2.1-or-later
// The notes of a capture: the input is the identity's text, a vCPU's record and a fact, set into an ELF file that is
// otherwise as it should be, so that it is these readers that are tried. (dump_core_fuzz tries the files themselves.)
#include <elf.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "guest/dump/capture_format.h"
#include "guest/dump/capture_identity.h"
#include "guest/dump/capture_reader.h"

namespace {

using namespace xstack;
using Bytes = std::vector<std::byte>;

void append(Bytes& out, std::span<const std::byte> part) {
  out.insert(out.end(), part.begin(), part.end());
}

void note(Bytes& out, std::uint32_t type, std::span<const std::byte> body) {
  const Elf64_Nhdr header{sizeof capture::kVendor, static_cast<std::uint32_t>(body.size()), type};
  append(out, std::as_bytes(std::span(&header, 1)));
  append(out, std::as_bytes(std::span(capture::kVendor)));
  out.resize((out.size() + 3) & ~std::size_t{3});
  append(out, body);
  out.resize((out.size() + 3) & ~std::size_t{3});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  static_cast<void>(identity_from_json({reinterpret_cast<const char*>(data), size}));
  // One byte says how much of the rest is the identity; what follows is a vCPU and, a third time, a fact.
  const std::size_t cut = size == 0 ? 0 : std::min<std::size_t>(size - 1, std::size_t{data[0]} * 4);
  const auto identity = size == 0 ? input : input.subspan(1, cut);
  const auto rest = size == 0 ? input : input.subspan(1 + cut);
  Bytes notes;
  const std::uint32_t version[] = {capture::kMajor, capture::kMinor};
  note(notes, capture::kNoteFormat, std::as_bytes(std::span(version)));
  note(notes, capture::kNoteIdentity, identity);
  note(notes, capture::kNoteVcpu, rest);
  note(notes, capture::kNoteFact, rest);
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof header;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr segment{};
  segment.p_type = PT_NOTE;
  segment.p_offset = sizeof header + sizeof segment;
  segment.p_filesz = notes.size();
  Bytes bytes;
  append(bytes, std::as_bytes(std::span(&header, 1)));
  append(bytes, std::as_bytes(std::span(&segment, 1)));
  append(bytes, notes);
  const auto file = std::make_shared<const InputFile>(std::move(bytes));
  const auto elf = parse_elf(file->bytes());
  if (!elf || !is_capture(*elf)) {
    __builtin_trap();
  }
  if (const auto parts = read_capture(file, *elf)) {
    if (parts->vcpus.size() > 1 || parts->identity.source != "capture") {
      __builtin_trap();
    }
  }
  return 0;
}
