// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "guest/memory.h"

namespace xstack {

/// The build-id among the ELF notes in [begin, end), __start_notes and __stop_notes of the kernel
/// (include/asm-generic/vmlinux.lds.h): the note named "GNU" of type 3, NT_GNU_BUILD_ID. As lower-case hex. 4 KiB are
/// read at most.
[[nodiscard]] std::optional<std::string> read_build_id_note(VirtMemory& memory, GuestVirt begin, GuestVirt end);

}  // namespace xstack
