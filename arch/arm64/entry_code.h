// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "arch/arch.h"

namespace xstack::arm64 {

/// Is `function` one of the entry code's assembly routines (arch/arm64/kernel/entry.S): the vectors, the code that
/// saves all registers, or the way back? Told by what the code does, and by name where that does not show.
[[nodiscard]] bool is_entry_code(VirtMemory& memory, const CodeSymbol& function);

/// For a vCPU that stopped inside such code while what it interrupted is in ELR_EL1 and the registers, not (or no
/// longer) on the stack: the interrupted context. Nothing when the stack has it, so that the frame records lead there.
/// A context in user mode comes back as an end.
[[nodiscard]] std::optional<tl::expected<Frame, TraceEnd>> interrupted_by_entry(StepContext& context,
                                                                                const Frame& frame,
                                                                                const CodeSymbol& function);

/// Did the vCPU stop in the trampoline through which user mode enters and leaves a kernel with page table isolation
/// (tramp_vectors, tramp_exit_native)? It runs at an alias outside the kernel's image, with the user's registers, what
/// it leaves or goes to being in ELR_EL1 and SPSR_EL1. Told by that, and by its page, the only code outside the image
/// that writes TTBR1_EL1. `frame` is the innermost.
[[nodiscard]] bool in_trampoline(StepContext& context, const Frame& frame);

}  // namespace xstack::arm64
