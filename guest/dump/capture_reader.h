// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "guest/dump/capture_notes.h"
#include "guest/dump/elf_file.h"
#include "guest/dump/file_guest.h"

namespace xstack {

/// Whether this ELF file is a capture of xstack's: a PT_NOTE segment holds notes of its own.
[[nodiscard]] bool is_capture(const ElfFile& elf);

/// Whether xstack's own notes are among these: dumps that it wrote in other formats have them as well.
[[nodiscard]] bool has_capture_notes(std::span<const ElfNote> notes);

/// Reads those notes: identity, vCPUs, facts. Returns how a PV guest's kernel numbers its frames. Errors: as
/// read_capture().
[[nodiscard]] Result<std::vector<FrameNumbers>> read_capture_notes(std::span<const ElfNote> notes, FileGuestParts& out);

/// Reads a capture (docs/capture-format.md). `elf` is parse_elf() of `file`. Nothing in the file is trusted. Errors:
/// bad_format, unsupported (a later format).
[[nodiscard]] Result<FileGuestParts> read_capture(std::shared_ptr<const InputFile> file, const ElfFile& elf);

}  // namespace xstack
