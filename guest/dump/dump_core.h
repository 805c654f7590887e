// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "base/error.h"
#include "guest/dump/elf_file.h"
#include "guest/dump/file_guest.h"

namespace xstack {

/// Whether this ELF file was written by `xl dump-core`, or the like.
[[nodiscard]] bool is_dump_core(const ElfFile& elf);

/// Reads the file that `xl dump-core` writes: xen/docs/misc/dump-core-format.txt, as written by
/// tools/libs/guest/xg_core.c (tools/libxc/xc_core.c before Xen 4.15). `elf` is parse_elf() of `file`. Files that are
/// cut short give what they hold, with a warning. Errors: bad_format, truncated (nothing of use is left).
[[nodiscard]] Result<FileGuestParts> read_dump_core(std::shared_ptr<const InputFile> file, const ElfFile& elf);

}  // namespace xstack
