// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/dump_core.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"
#include "base/endian.h"

namespace xstack {
namespace {

using Bytes = std::span<const std::byte>;

// Note types and magic numbers: xen/include/public/elfnote.h (XEN_ELFNOTE_DUMPCORE_*) and xen/include/public/
// dumpcore... as documented in docs/misc/dump-core-format.txt.
constexpr std::uint32_t kNoteHeader = 0x2000001;
constexpr std::uint32_t kNoteXenVersion = 0x2000002;
constexpr std::uint32_t kNoteFormatVersion = 0x2000003;
constexpr std::uint64_t kMagicPv = 0xf00febed;
constexpr std::uint64_t kMagicHvm = 0xf00febee;
constexpr std::uint64_t kInvalidFrame = ~std::uint64_t{0};

// sizeof(vcpu_guest_context_t): public/arch-arm.h of Xen 4.3, 4.4 to 4.15, and 4.16 on; public/arch-x86/xen.h for
// 64-bit and 32-bit (compat) guests.
constexpr std::size_t kArmContext43 = 336;
constexpr std::size_t kArmContext44 = 344;
constexpr std::size_t kArmContext416 = 352;
constexpr std::size_t kX86Context64 = 5168;
constexpr std::size_t kX86Context32 = 2800;
// VGCF_online: bit 0 of the first word on ARM; on x86 bit 5 of `flags`, which follows the 512 bytes of fpu_ctxt.
constexpr std::uint32_t kArmOnline = 1U << 0;
constexpr std::uint32_t kX86Online = 1U << 5;
constexpr std::size_t kX86Flags = 512;
// Xen itself stops at 128 (HVM) to 8192 (PV) vCPUs.
constexpr std::size_t kMaxVcpus = 16384;

bool is_arm_context(std::uint64_t size) {
  return size == kArmContext43 || size == kArmContext44 || size == kArmContext416;
}

std::string text_in(Bytes field) {
  std::string text;
  for (const std::byte b : field) {
    if (b == std::byte{0}) {
      break;
    }
    text.push_back(static_cast<char>(b));
  }
  return text;
}

struct Notes {
  std::optional<std::uint64_t> magic;
  std::optional<std::uint64_t> vcpus;
  std::optional<std::uint64_t> page_size;
  std::optional<std::uint64_t> format_version;
  std::optional<std::string> xen_version;
  std::optional<std::string> capabilities;
};

Notes read_notes(Bytes bytes) {
  Notes out;
  for (const auto& note : parse_notes(bytes)) {
    if (note.vendor != "Xen") {
      continue;
    }
    if (note.type == kNoteHeader) {
      // struct xen_dumpcore_elfnote_header_desc (xg_core.h)
      out.magic = load_le_at<std::uint64_t>(note.bytes, 0);
      out.vcpus = load_le_at<std::uint64_t>(note.bytes, 8);
      out.page_size = load_le_at<std::uint64_t>(note.bytes, 24);
    } else if (note.type == kNoteXenVersion) {
      // struct xen_dumpcore_elfnote_xen_version_desc: major, minor, char extra[16], compile_info (144 bytes),
      // char capabilities[1024], ...; what follows differs between 32-bit and 64-bit tools.
      const auto major = load_le_at<std::uint64_t>(note.bytes, 0);
      const auto minor = load_le_at<std::uint64_t>(note.bytes, 8);
      const auto extra = slice(note.bytes, 16, 16);
      if (major && minor && extra && *major < 256 && *minor < 256) {
        out.xen_version = fmt::format("{}.{}{}", *major, *minor, text_in(*extra));
      }
      if (const auto caps = slice(note.bytes, 176, 1024); caps && (*caps)[0] != std::byte{0}) {
        std::string text = text_in(*caps);
        text.erase(text.find_last_not_of(' ') + 1);  // Xen ends the list with a blank
        out.capabilities = text;
      }
    } else if (note.type == kNoteFormatVersion) {
      out.format_version = load_le_at<std::uint64_t>(note.bytes, 0);
    }
  }
  return out;
}

/// The sections of a dump-core file. A file that is cut short has lost the names, which stand at its end; the writer's
/// order and entry sizes still tell its sections apart.
struct Sections {
  const ElfSection* note = nullptr;
  const ElfSection* prstatus = nullptr;
  const ElfSection* pages = nullptr;
  const ElfSection* p2m = nullptr;
  const ElfSection* pfn = nullptr;
};

Sections find_sections(const ElfFile& elf) {
  Sections s;
  s.note = elf.section(".note.Xen");
  if (s.note != nullptr) {
    s.prstatus = elf.section(".xen_prstatus");
    s.pages = elf.section(".xen_pages");
    s.p2m = elf.section(".xen_p2m");
    s.pfn = elf.section(".xen_pfn");
    return s;
  }
  for (const auto& section : elf.sections) {
    if (section.type == SHT_NOTE) {
      s.note = &section;
    } else if (section.type != SHT_PROGBITS) {
      continue;
    } else if (is_arm_context(section.entry_size) || section.entry_size == kX86Context64 ||
               section.entry_size == kX86Context32) {
      s.prstatus = &section;
    } else if (section.entry_size == kXenPageSize) {
      s.pages = &section;  // .xen_shared_info looks the same and comes before it
    } else if (section.entry_size == 16) {
      s.p2m = &section;
    } else if (section.entry_size == 8) {
      s.pfn = &section;
    }
  }
  return s;
}

/// A 64-bit toolstack writes the context of a 32-bit PV guest as the first 2800 bytes of an entry of 5168: a 64-bit
/// context always has a control register behind them.
std::size_t used_size(Bytes context) {
  if (context.size() != kX86Context64) {
    return context.size();
  }
  const auto rest = context.subspan(kX86Context32);
  const bool compat = std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == std::byte{0}; });
  return compat ? kX86Context32 : kX86Context64;
}

void read_vcpus(const ElfSection& prstatus, bool arm, const Notes& notes, FileGuestParts& out) {
  const auto entry = static_cast<std::size_t>(prstatus.entry_size);
  std::size_t count = prstatus.bytes.size() / entry;
  if (prstatus.cut) {
    out.cut = true;
    out.warnings.push_back(fmt::format("the file ends in the registers: {} vCPUs are left", count));
  }
  if (count > kMaxVcpus) {
    out.warnings.push_back(fmt::format("{} vCPUs are more than a guest can have: {} are read", count, kMaxVcpus));
    count = kMaxVcpus;
  }
  for (std::size_t i = 0; i < count; ++i) {
    auto bytes = prstatus.bytes.subspan(i * entry, entry);
    bytes = bytes.first(used_size(bytes));
    VcpuContext vcpu;
    vcpu.id = static_cast<unsigned>(i);
    vcpu.context.assign(bytes.begin(), bytes.end());
    const bool online = arm ? (load_le_at<std::uint32_t>(bytes, 0).value_or(0) & kArmOnline) != 0
                            : (load_le_at<std::uint32_t>(bytes, kX86Flags).value_or(0) & kX86Online) != 0;
    vcpu.presence = online ? VcpuPresence::online : VcpuPresence::offline;
    out.vcpus.push_back(std::move(vcpu));
  }
  // xg_core.c leaves out a vCPU whose registers Xen does not give and counts what is left, so that this comes from
  // another writer or from a damaged file.
  if (notes.vcpus && *notes.vcpus > out.vcpus.size() && !prstatus.cut) {
    out.warnings.push_back(fmt::format("the dump speaks of {} vCPUs and holds {}: numbers of vCPUs may be wrong",
                                       *notes.vcpus, out.vcpus.size()));
  }
}

/// Fills the map from .xen_p2m ({pfn, gmfn} pairs; memory is addressed by gmfn) or .xen_pfn. One entry for each page.
FrameMap read_frames(const ElfSection& table, std::size_t entry, std::size_t frame_offset, std::uint64_t pages,
                     bool arm, std::vector<std::string>& warnings) {
  FrameMap map;
  const std::uint64_t entries = table.bytes.size() / entry;
  const std::uint64_t count = std::min(entries, pages);
  std::uint64_t invalid = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto frame = load_le<std::uint64_t>(table.bytes.data() + i * entry + frame_offset);
    if (frame == kInvalidFrame) {
      ++invalid;
    } else if (!map.add(frame, i)) {
      ++refused;
    }
  }
  const std::uint64_t again = map.finish();
  if (arm && count != 0 && invalid == count) {
    // xc_core_arch_gpfn_may_present() in tools/libs/guest/xg_core_arm.c knows RAM at 0x80000000 only, where it has not
    // been since Xen 4.5.
    warnings.emplace_back(
        "no memory is in this file: xl dump-core of ARM guests writes every page as absent; registers are all there "
        "is");
  }
  if (refused != 0) {
    warnings.push_back(fmt::format("{} pages have frame numbers beyond any machine's and are left out", refused));
  }
  if (again != 0) {
    warnings.push_back(fmt::format("{} frames are given more than once: one page of each is used", again));
  }
  return map;
}

}  // namespace

bool is_dump_core(const ElfFile& elf) {
  if (!elf.segments.empty()) {
    return false;
  }
  const Sections s = find_sections(elf);
  return s.note != nullptr && (s.prstatus != nullptr || s.pages != nullptr);
}

Result<FileGuestParts> read_dump_core(std::shared_ptr<const InputFile> file, const ElfFile& elf) {
  const Sections sections = find_sections(elf);
  if (sections.note == nullptr || (sections.prstatus == nullptr && sections.pages == nullptr)) {
    return fail(Errc::bad_format, "the sections of a dump-core file are missing");
  }
  const Notes notes = read_notes(sections.note->bytes);
  if (notes.page_size && *notes.page_size != kXenPageSize) {
    return fail(Errc::bad_format, fmt::format("pages of {} bytes, where Xen's are of 4096", *notes.page_size));
  }
  FileGuestParts out;
  out.warnings = file->warnings();
  out.cut = !out.warnings.empty();
  out.identity.source = "dump-core";
  out.identity.xen_version = notes.xen_version;
  out.identity.capabilities = notes.capabilities;
  if (notes.format_version && *notes.format_version >> 32 != 0) {
    out.warnings.push_back(fmt::format("version {}.{} of the dump-core format is newer than what this reader knows",
                                       *notes.format_version >> 32, *notes.format_version & 0xffffffff));
  }

  // e_machine is EM_ARM for arm64 guests too (tools/libs/guest/xg_core_arm.h); the size of the context is what tells.
  const bool arm = sections.prstatus != nullptr && sections.prstatus->entry_size != 0
                       ? is_arm_context(sections.prstatus->entry_size)
                       : elf.machine == EM_ARM || elf.machine == EM_AARCH64;
  const bool pv = sections.p2m != nullptr || (notes.magic == kMagicPv && sections.pfn == nullptr);
  out.identity.type = arm ? GuestType::arm : (pv ? GuestType::pv : GuestType::hvm);
  if (notes.magic && *notes.magic != kMagicPv && *notes.magic != kMagicHvm) {
    out.warnings.push_back(fmt::format("unknown kind of guest (magic {:#x})", *notes.magic));
  }

  if (sections.prstatus == nullptr || sections.prstatus->bytes.empty()) {
    out.warnings.emplace_back("no registers are in this file");
  } else if (const auto size = sections.prstatus->entry_size;
             !is_arm_context(size) && size != kX86Context64 && size != kX86Context32) {
    return fail(Errc::bad_format,
                fmt::format("registers of {} bytes for each vCPU: of no architecture known here", size));
  } else {
    read_vcpus(*sections.prstatus, arm, notes, out);
  }

  Bytes pages;
  FrameMap map;
  if (sections.pages != nullptr) {
    pages = sections.pages->bytes;
    const ElfSection* table = sections.p2m != nullptr ? sections.p2m : sections.pfn;
    if (table != nullptr && !table->bytes.empty()) {
      const bool p2m = table == sections.p2m;
      map = read_frames(*table, p2m ? 16 : 8, p2m ? 8 : 0, pages.size() / kXenPageSize, arm, out.warnings);
    }
    out.cut = out.cut || table == nullptr || table->cut || sections.pages->cut;
    if (table == nullptr || table->cut) {
      out.warnings.push_back(
          fmt::format("the file ends before the table that says which page is which: {}",
                      map.frames() == 0 ? "memory cannot be read" : "part of the memory is missing"));
    } else if (sections.pages->cut) {
      out.warnings.emplace_back("the file ends in the pages: part of the memory is missing");
    }
  } else {
    out.warnings.emplace_back("no memory is in this file");
  }
  if (out.vcpus.empty() && map.frames() == 0) {
    return fail(Errc::truncated, "the file ends before the first registers and holds no memory");
  }
  out.memory = std::make_unique<FileMemory>(std::move(file), pages, std::move(map));
  return out;
}

}  // namespace xstack
