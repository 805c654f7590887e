// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/elf_machine.h"

#include <elf.h>

namespace xstack {

std::uint16_t elf_machine(ArchId arch) {
  switch (arch) {
    case ArchId::arm32:
      return EM_ARM;
    case ArchId::arm64:
      return EM_AARCH64;
    case ArchId::x86_32:
      return EM_386;
    case ArchId::x86_64:
      break;
  }
  return EM_X86_64;
}

std::optional<ArchId> arch_of_elf_machine(std::uint16_t machine) {
  for (const ArchId arch : {ArchId::arm32, ArchId::arm64, ArchId::x86_32, ArchId::x86_64}) {
    if (elf_machine(arch) == machine) {
      return arch;
    }
  }
  return std::nullopt;
}

}  // namespace xstack
