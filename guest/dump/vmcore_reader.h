// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "base/error.h"
#include "guest/dump/elf_file.h"
#include "guest/dump/file_guest.h"

namespace xstack {

/// Whether this ELF core is the dump of a machine: of the kernel's kdump (/proc/vmcore), of QEMU's dump-guest-memory
/// (`virsh dump --memory-only`), of makedumpfile -E.
[[nodiscard]] bool is_vmcore(const ElfFile& elf);

/// Reads one: memory by p_paddr, registers and VMCOREINFO from notes. Memory that a segment has in p_memsz and not in
/// p_filesz was filtered out when the file was written, and is absent. Files that are cut short give what they hold.
/// Errors: unsupported (a machine of another architecture), truncated (nothing of use is left).
[[nodiscard]] Result<FileGuestParts> read_vmcore(std::shared_ptr<const InputFile> file, const ElfFile& elf);

}  // namespace xstack
