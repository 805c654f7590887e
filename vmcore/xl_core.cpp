// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/xl_core.h"

#include <elf.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

#include "symbols/elf_machine.h"

namespace xstack {
namespace {

using Buffer = std::vector<std::byte>;

// XEN_ELFNOTE_DUMPCORE_* of public/elfnote.h; XC_CORE_MAGIC and XC_CORE_MAGIC_HVM of xenctrl.h.
constexpr std::uint32_t kNoteNone = 0x2000000;
constexpr std::uint32_t kNoteHeader = 0x2000001;
constexpr std::uint32_t kNoteXenVersion = 0x2000002;
constexpr std::uint32_t kNoteFormatVersion = 0x2000003;
constexpr std::uint64_t kMagicPv = 0xf00febed;
constexpr std::uint64_t kMagicHvm = 0xf00febee;
constexpr std::size_t kVersionBytes = 1280;  // struct xen_dumpcore_elfnote_xen_version_desc of 64-bit tools
constexpr std::size_t kX86Context = 5168;    // a 32-bit PV guest's is written as the beginning of one
constexpr std::size_t kTableBatch = 1U << 16;

template <class T>
void put(Buffer& out, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_text(std::span<std::byte> field, std::string_view text) {
  text = text.substr(0, field.size() - 1);
  std::memcpy(field.data(), text.data(), text.size());
}

/// "4.17.5": two numbers, and the rest as Xen calls it, with its point.
Buffer version_note(const GuestIdentity& identity) {
  Buffer note(kVersionBytes);
  if (identity.xen_version) {
    std::string_view text = *identity.xen_version;
    std::uint64_t numbers[2] = {};
    for (std::uint64_t& number : numbers) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      text.remove_prefix(static_cast<std::size_t>(end - text.data()));
      if (&number == numbers && text.starts_with('.')) {
        text.remove_prefix(1);
      }
    }
    std::memcpy(note.data(), numbers, sizeof numbers);
    put_text(std::span(note).subspan(16, 16), text);
  }
  if (identity.capabilities) {
    put_text(std::span(note).subspan(176, 1024), *identity.capabilities);
  }
  const std::uint64_t page_size = kXenPageSize;
  std::memcpy(note.data() + kVersionBytes - sizeof page_size, &page_size, sizeof page_size);
  return note;
}

Buffer notes_of(const GuestIdentity& identity, bool pv, std::uint64_t vcpus, std::uint64_t pages) {
  const auto words = [](std::initializer_list<std::uint64_t> values) {
    Buffer out;
    for (const std::uint64_t value : values) {
      put(out, value);
    }
    return out;
  };
  Buffer notes;
  append_note(notes, "Xen", kNoteNone, {});
  append_note(notes, "Xen", kNoteHeader, words({pv ? kMagicPv : kMagicHvm, vcpus, pages, kXenPageSize}));
  append_note(notes, "Xen", kNoteXenVersion, version_note(identity));
  append_note(notes, "Xen", kNoteFormatVersion, words({1}));
  return notes;
}

struct Registers {
  Buffer bytes;
  std::size_t each = 0;
  std::uint64_t vcpus = 0;
};

/// The contexts of all vCPUs that have one, each in as many bytes as the longest. As in xl's files there is no place
/// for a vCPU that has none.
Result<Registers> registers_of(const CoreContents& contents) {
  const bool x86 = contents.arch == ArchId::x86_64 || contents.arch == ArchId::x86_32;
  Registers out;
  out.each = x86 ? kX86Context : 0;
  for (const VcpuContext& vcpu : contents.vcpus) {
    if (!vcpu.context.empty() && vcpu.form != ContextForm::xen) {
      return fail(Errc::unsupported,
                  "registers as Xen gives them are what a file of xl dump-core has, and this guest's are of another "
                  "form: use --format elf");
    }
    out.each = std::max(out.each, vcpu.context.size());
  }
  for (const VcpuContext& vcpu : contents.vcpus) {
    if (!vcpu.context.empty()) {
      out.bytes.insert(out.bytes.end(), vcpu.context.begin(), vcpu.context.end());
      out.bytes.resize(static_cast<std::size_t>(++out.vcpus) * out.each);
    }
  }
  if (out.vcpus == 0) {
    return fail(Errc::unsupported, "no registers, without which nothing reads a file of xl dump-core");
  }
  return out;
}

/// Two lists of the same memory as one of pieces that are consecutive in both.
std::vector<FrameNumbers> together(std::span<const FrameRange> numbered, std::span<const FrameRange> frames) {
  std::vector<FrameNumbers> out;
  auto machine = frames.begin();
  std::uint64_t done = 0;
  for (const FrameRange& range : numbered) {
    for (std::uint64_t at = 0; at < range.count && machine != frames.end();) {
      const std::uint64_t count = std::min(range.count - at, machine->count - done);
      if (count != 0) {
        out.push_back({range.first.value / kXenPageSize + at, machine->first.value / kXenPageSize + done, count});
      }
      at += count;
      done += count;
      if (done == machine->count) {
        ++machine;
        done = 0;
      }
    }
  }
  return out;
}

Result<void> append_entry(OutputFile& out, Buffer& batch, std::uint64_t number, std::optional<std::uint64_t> frame) {
  put(batch, number);
  if (frame) {
    put(batch, *frame);
  }
  if (batch.size() < kTableBatch) {
    return {};
  }
  auto ok = out.append(batch);
  batch.clear();
  return ok;
}

}  // namespace

Result<XlCorePlan> plan_xl_core(const CoreContents& contents, std::span<const FrameRange> numbered,
                                std::span<const FrameRange> frames) {
  if (!contents.facts.empty()) {
    return fail(Errc::unsupported,
                "a capture has too little of the guest's memory for a file of xl dump-core, which "
                "does not say so: use --format elf");
  }
  const auto registers = registers_of(contents);
  if (!registers) {
    return tl::unexpected(registers.error());
  }
  XlCorePlan plan;
  plan.p2m = contents.identity.type == GuestType::pv;
  plan.runs = together(numbered, frames);
  std::uint64_t present = 0;
  std::uint64_t end = 0;
  for (const FrameNumbers& run : plan.runs) {
    // The numbers are the guest's word: the offsets of all that follows hang on their order.
    if (plan.p2m && run.pseudo < end) {
      return fail(Errc::unsupported,
                  "the kernel's numbers of its memory are not in order, as a file of xl dump-core has them: "
                  "use --format elf");
    }
    end = run.pseudo + run.count;
    present += run.count;
  }
  plan.pages = plan.p2m ? end : present;
  if (plan.pages - present > kMostHoles) {
    return fail(Errc::too_large,
                "the kernel numbers its memory with gaps of many GiB, which a file of xl dump-core "
                "would have to fill: use --format elf");
  }
  const Buffer notes = notes_of(contents.identity, plan.p2m, registers->vcpus, plan.pages);
  const char* table_name = plan.p2m ? ".xen_p2m" : ".xen_pfn";
  const auto name = [&](const char* text) {
    const auto at = plan.names.size();
    plan.names += text;
    plan.names += '\0';
    return static_cast<Elf64_Word>(at);
  };
  constexpr Elf64_Half kSections = 6;
  const std::uint64_t notes_at = sizeof(Elf64_Ehdr) + kSections * sizeof(Elf64_Shdr);
  const std::uint64_t registers_at = notes_at + notes.size();
  const std::uint64_t pages_at =
      (registers_at + registers->bytes.size() + kXenPageSize - 1) / kXenPageSize * kXenPageSize;
  plan.table_at = pages_at + plan.pages * kXenPageSize;
  const std::uint64_t row = plan.p2m ? 16 : 8;
  Elf64_Shdr sections[kSections] = {};
  const auto section = [&](std::size_t i, const char* text, Elf64_Word type, std::uint64_t at, std::uint64_t bytes,
                           std::uint64_t align, std::uint64_t each) {
    Elf64_Shdr& header = sections[i];
    header.sh_name = name(text);
    header.sh_type = type;
    header.sh_offset = at;
    header.sh_size = bytes;
    header.sh_addralign = align;
    header.sh_entsize = each;
  };
  sections[0].sh_name = name("");
  section(1, ".shstrtab", SHT_STRTAB, plan.table_at + plan.pages * row, 0, 0, 0);
  section(2, ".note.Xen", SHT_NOTE, notes_at, notes.size(), 0, 0);
  section(3, ".xen_prstatus", SHT_PROGBITS, registers_at, registers->bytes.size(), 8, registers->each);
  section(4, ".xen_pages", SHT_PROGBITS, pages_at, plan.pages * kXenPageSize, kXenPageSize, kXenPageSize);
  section(5, table_name, SHT_PROGBITS, plan.table_at, plan.pages * row, 8, row);
  sections[1].sh_size = plan.names.size();
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = elf_machine(contents.arch);
  header.e_version = EV_CURRENT;
  header.e_shoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = kSections;
  header.e_shstrndx = 1;
  put(plan.head, header);
  put(plan.head, sections);
  plan.head.insert(plan.head.end(), notes.begin(), notes.end());
  plan.head.insert(plan.head.end(), registers->bytes.begin(), registers->bytes.end());
  plan.head.resize(static_cast<std::size_t>(pages_at));
  return plan;
}

Result<WrittenMemory> write_xl_core(PhysMemory& memory, const XlCorePlan& plan, OutputFile& out,
                                    const Progress& progress) {
  Result<void> ok = out.append(plan.head);
  std::vector<FrameRange> frames;
  std::uint64_t all = 0;
  for (const FrameNumbers& run : plan.runs) {
    all += run.count * kXenPageSize;
  }
  WrittenMemory written;
  std::uint64_t next = 0;  // the number of the page that the file has reached
  std::uint64_t before = 0;
  for (const FrameNumbers& run : plan.runs) {
    if (plan.p2m && run.pseudo > next) {
      ok = ok ? out.append_zeros((run.pseudo - next) * kXenPageSize) : ok;
    }
    if (!ok) {
      return tl::unexpected(ok.error());
    }
    const FrameRange range{GuestPhys(run.machine * kXenPageSize), run.count};
    const Progress of_all = [&](std::uint64_t done, std::uint64_t) {
      return !progress || progress(before + done, all);
    };
    const auto part = write_memory(memory, std::span(&range, 1), out, of_all);
    if (!part) {
      return tl::unexpected(part.error());
    }
    written.zero_pages += part->zero_pages;
    written.lost_pages += part->lost_pages;
    before += run.count * kXenPageSize;
    next = run.pseudo + run.count;
  }
  Buffer batch;
  next = 0;
  for (const FrameNumbers& run : plan.runs) {
    for (; ok && plan.p2m && next < run.pseudo; ++next) {
      ok = append_entry(out, batch, next, ~std::uint64_t{0});
    }
    for (std::uint64_t i = 0; ok && i < run.count; ++i) {
      ok = append_entry(out, batch, plan.p2m ? run.pseudo + i : run.machine + i,
                        plan.p2m ? std::optional(run.machine + i) : std::nullopt);
    }
    next = run.pseudo + run.count;
  }
  ok = ok && !batch.empty() ? out.append(batch) : ok;
  ok = ok ? out.append(std::as_bytes(std::span(plan.names))) : ok;
  return ok ? Result<WrittenMemory>(written) : tl::unexpected(ok.error());
}

}  // namespace xstack
