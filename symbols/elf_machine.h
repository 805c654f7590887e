// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "arch/arch.h"

namespace xstack {

/// e_machine of the ELF files of an architecture (<elf.h>), and back.
[[nodiscard]] std::uint16_t elf_machine(ArchId arch);
[[nodiscard]] std::optional<ArchId> arch_of_elf_machine(std::uint16_t machine);

}  // namespace xstack
