// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>

#include "guest/dump/elf_file.h"
#include "guest/dump/file_guest.h"

namespace xstack {

/// What the notes of a machine's dump say, be it an ELF core or a kdump file, which carries the same notes: registers
/// of each CPU (NT_PRSTATUS, and QEMU's own), and VMCOREINFO. Fills vCPUs in, numbered in the order of their notes, and
/// what the identity lacks.
void read_machine_notes(std::span<const ElfNote> notes, FileGuestParts& out);

/// The kind of guest for an ELF machine number; nothing for one that is not read.
[[nodiscard]] std::optional<GuestType> guest_type_of(std::uint16_t elf_machine);

/// Is this the core of a process? A machine's has none of these notes.
[[nodiscard]] bool is_process_core(std::span<const ElfNote> notes);

}  // namespace xstack
