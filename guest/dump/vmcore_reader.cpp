// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/vmcore_reader.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "guest/dump/machine_notes.h"
#include "guest/dump/piece_memory.h"

namespace xstack {
namespace {

/// What the file says of its memory.
struct Segments {
  PieceMap map;
  bool cut = false;
  std::uint64_t filtered = 0;  ///< bytes that were left out when it was written
  std::uint64_t refused = 0;   ///< segments that cannot be
};

Segments read_segments(const ElfFile& elf, std::span<const std::byte> file) {
  Segments out;
  for (const ElfSegment& segment : elf.segments) {
    // QEMU gives -1 to what has no physical address.
    if (segment.type != PT_LOAD || segment.physical == std::numeric_limits<std::uint64_t>::max()) {
      continue;
    }
    out.cut = out.cut || segment.cut;
    if (!segment.cut && segment.memory_size > segment.bytes.size()) {
      out.filtered += segment.memory_size - segment.bytes.size();
    }
    if (!segment.bytes.empty() && !out.map.add(segment.physical, segment.bytes.size(),
                                               static_cast<std::uint64_t>(segment.bytes.data() - file.data()))) {
      ++out.refused;
    }
  }
  out.map.finish();
  return out;
}

}  // namespace

bool is_vmcore(const ElfFile& elf) {
  const auto notes = segment_notes(elf);
  const bool foreign = std::any_of(notes.begin(), notes.end(), [](const ElfNote& note) {
    return note.vendor == "Xen" || note.vendor == "VMCOREINFO_XEN" || note.vendor == "VBCORE" || note.vendor == "VBCPU";
  });
  const bool memory = std::any_of(elf.segments.begin(), elf.segments.end(),
                                  [](const ElfSegment& segment) { return segment.type == PT_LOAD; });
  return !foreign && (memory || elf.cut) && !is_process_core(notes);
}

Result<FileGuestParts> read_vmcore(std::shared_ptr<const InputFile> file, const ElfFile& elf) {
  const auto type = guest_type_of(elf.machine);
  if (!type) {
    return fail(Errc::unsupported,
                fmt::format("the core of a machine of another architecture (ELF machine {})", elf.machine));
  }
  FileGuestParts out;
  out.warnings = file->warnings();
  out.cut = !out.warnings.empty();
  out.identity.source = "vmcore";
  out.identity.type = *type;
  out.identity.type_told = false;
  const auto notes = segment_notes(elf);
  read_machine_notes(notes, out);
  const bool qemu = std::any_of(notes.begin(), notes.end(), [](const ElfNote& note) { return note.vendor == "QEMU"; });
  out.identity.format = fmt::format("ELF{} core of a machine{}{}", elf.bits, qemu ? ", written by QEMU" : "",
                                    out.vmcoreinfo ? ", with VMCOREINFO" : "");
  Segments segments = read_segments(elf, file->bytes());
  for (const ElfSegment& segment : elf.segments) {
    if (segment.type == PT_NOTE && segment.cut) {
      out.cut = true;
      out.warnings.push_back(
          fmt::format("the file ends in its notes: registers of {} CPUs are left", out.vcpus.size()));
      break;
    }
  }
  if (segments.cut || elf.cut) {
    out.cut = true;
    out.warnings.emplace_back("the file ends in the memory: part of it is missing");
  }
  if (segments.filtered != 0) {
    out.identity.lacks.push_back(
        fmt::format("{} KiB of memory, left out when it was written", segments.filtered >> 10));
  }
  if (segments.refused != 0) {
    out.warnings.push_back(fmt::format("{} segments wrap round the end of memory and are left out", segments.refused));
  }
  if (out.vcpus.empty() && segments.map.empty()) {
    return fail(Errc::truncated, "the file ends before the first registers and holds no memory");
  }
  out.memory = std::make_unique<PieceMemory>(std::move(file), std::move(segments.map));
  return out;
}

}  // namespace xstack
