// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arch/arch.h"

namespace xstack {

/// The data of an NT_PRSTATUS note (struct elf_prstatus of the guest's architecture, include/linux/elfcore.h) with the
/// vCPU's registers in it. `thread` stands where a process's number does: debuggers take 0 for "none" and tell vCPUs
/// apart by it, drgn holds it against the task that the vCPU runs. A register that is not known is 0 there, since the
/// format has no way to say so; what was known is in xstack's own notes beside it.
[[nodiscard]] std::vector<std::byte> prstatus_note(const CpuState& cpu, std::uint32_t thread);

}  // namespace xstack
