// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "arch/arch.h"

namespace xstack::arm64 {

/// Is the instruction in front of `pc` a call?
[[nodiscard]] bool follows_call(VirtMemory& memory, GuestVirt pc);

/// The first word from `sp` upwards, inside its stack, that is a return address: in code, behind a call. The frame is a
/// guess and says so; when the word before it may be a frame pointer, the frame has it.
[[nodiscard]] std::optional<Frame> scan_stack(StepContext& context, GuestVirt sp, unsigned va_bits);

}  // namespace xstack::arm64
