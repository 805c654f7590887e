// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "guest/dump/elf_file.h"

namespace xstack {

/// The name of a kind of file that is no ELF file and that xstack knows by its first bytes but does not read: "a kdump
/// compressed dump (makedumpfile)" and the like, to follow "this is".
[[nodiscard]] std::optional<std::string> recognise_foreign(std::span<const std::byte> start);

/// The same for an ELF core that is neither a dump-core file nor a capture.
[[nodiscard]] std::optional<std::string> recognise_foreign_elf(const ElfFile& elf);

}  // namespace xstack
