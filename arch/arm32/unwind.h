// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>

#include "arch/arch.h"

namespace xstack::arm32 {

/// ArchOps::first_frame: the vCPU's own registers.
[[nodiscard]] Frame first_frame(const CpuState& cpu);

/// ArchOps::step: the caller, by what the function's state allows, surest first. See unwind.cpp for the order.
[[nodiscard]] tl::expected<Frame, TraceEnd> step(StepContext& context, const Frame& callee, unsigned depth);

/// ArchOps::mark_stacks: names the stack of each frame that is not on its task's: those inside of call_with_stack are
/// on the interrupt stack of their CPU, those inside of __bad_stack on its overflow stack.
void mark_stacks(StepContext& context, std::span<Frame> frames);

}  // namespace xstack::arm32
