// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/elf_core.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "guest/dump/capture_format.h"
#include "symbols/elf_machine.h"
#include "vmcore/prstatus.h"

namespace xstack {
namespace {

using Buffer = std::vector<std::byte>;

constexpr std::uint64_t k32 = std::uint64_t{1} << 32;

struct Elf32 {
  using Ehdr = Elf32_Ehdr;
  using Phdr = Elf32_Phdr;
  static constexpr unsigned char kClass = ELFCLASS32;
};
struct Elf64 {
  using Ehdr = Elf64_Ehdr;
  using Phdr = Elf64_Phdr;
  static constexpr unsigned char kClass = ELFCLASS64;
};

template <class T>
void append(Buffer& out, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class Elf>
Buffer head(ArchId arch, const CorePlan& plan, const Buffer& notes) {
  using Ehdr = typename Elf::Ehdr;
  using Phdr = typename Elf::Phdr;
  using Size = decltype(Phdr::p_filesz);
  Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = Elf::kClass;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = elf_machine(arch);
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Phdr);
  header.e_phnum = static_cast<std::uint16_t>(plan.segments.size() + 1);
  Buffer out;
  append(out, header);
  const std::uint64_t notes_at = sizeof header + (plan.segments.size() + 1) * sizeof(Phdr);
  const std::uint64_t memory_at = (notes_at + notes.size() + kXenPageSize - 1) / kXenPageSize * kXenPageSize;
  Phdr note{};
  note.p_type = PT_NOTE;
  note.p_offset = static_cast<Size>(notes_at);
  note.p_filesz = static_cast<Size>(notes.size());
  note.p_align = 4;
  append(out, note);
  for (const CoreSegment& segment : plan.segments) {
    Phdr load{};
    load.p_type = PT_LOAD;
    load.p_flags = PF_R | PF_W | PF_X;
    load.p_offset = static_cast<Size>(memory_at + segment.data);
    load.p_paddr = static_cast<Size>(segment.phys.value);
    // As kexec-tools has it for memory that the kernel does not map: -1, which nothing can lie at.
    load.p_vaddr = segment.virt ? static_cast<Size>(segment.virt->value) : ~Size{0};
    load.p_filesz = static_cast<Size>(segment.bytes);
    load.p_memsz = load.p_filesz;
    load.p_align = kXenPageSize;
    append(out, load);
  }
  out.insert(out.end(), notes.begin(), notes.end());
  out.resize(static_cast<std::size_t>(memory_at));
  return out;
}

}  // namespace

Buffer core_notes(const CoreContents& contents) {
  Buffer notes;
  for (std::size_t i = 0; i < contents.cpus.size(); ++i) {
    if (contents.cpus[i] != nullptr) {
      append_note(
          notes, "CORE", NT_PRSTATUS,
          prstatus_note(*contents.cpus[i], contents.threads.empty() ? contents.vcpus[i].id + 1 : contents.threads[i]));
    }
  }
  if (contents.vmcoreinfo) {
    append_note(notes, "VMCOREINFO", 0, std::as_bytes(std::span(*contents.vmcoreinfo)));
  }
  const Buffer own = capture_notes(contents.identity, contents.vcpus, contents.facts, contents.facts.empty(), true);
  notes.insert(notes.end(), own.begin(), own.end());
  if (!contents.frame_numbers.empty()) {
    append_note(notes, capture::kVendor, capture::kNoteShared | capture::kNoteFrames,
                frame_numbers_note(contents.frame_numbers));
  }
  return notes;
}

Result<Buffer> core_head(const CoreContents& contents, const CorePlan& plan) {
  if (plan.segments.size() + 1 >= PN_XNUM) {
    return fail(
        Errc::too_large,
        fmt::format("{} separate pieces of memory are too many for an ELF core; --format kdump has room for them",
                    plan.segments.size()));
  }
  const Buffer notes = core_notes(contents);
  if (notes.size() > std::numeric_limits<std::uint32_t>::max() / 2) {
    return fail(Errc::too_large, "the registers of all vCPUs are too large for an ELF core");
  }
  const bool narrow = contents.arch == ArchId::arm32 || contents.arch == ArchId::x86_32;
  const std::uint64_t most_head = (plan.segments.size() + 2) * sizeof(Elf64_Phdr) + notes.size() + 2 * kXenPageSize;
  const bool fits = plan.bytes + most_head < k32 &&
                    std::all_of(plan.segments.begin(), plan.segments.end(),
                                [](const CoreSegment& segment) { return segment.phys.value + segment.bytes <= k32; });
  return narrow && fits ? head<Elf32>(contents.arch, plan, notes) : head<Elf64>(contents.arch, plan, notes);
}

}  // namespace xstack
