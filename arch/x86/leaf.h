// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/x86/pt_regs.h"

namespace xstack::x86 {

/// The caller of a vCPU (or interrupted context) that is stopped where tables do not tell the truth: at a retpoline or
/// return thunk, whose ORC entry says "end" although the caller is on top of the stack, or in a hypercall stub, whose
/// pushes no table knows. Nothing when the frame is at no such place.
[[nodiscard]] std::optional<Frame> caller_of_stub(StepContext& context, const Frame& callee);

/// The return address on top of the stack of an exact frame: of a call through a bad pointer (pc is no code), or of a
/// function that was directly called by the instruction before that address and has not pushed anything. Nothing when
/// the two do not fit together.
[[nodiscard]] std::optional<Frame> caller_on_top(StepContext& context, const Frame& callee);

/// A vCPU in the first instructions of the system call entry, still on the user's stack (64-bit, not PV): the user's
/// pc is in rcx then.
[[nodiscard]] std::optional<TraceEnd> at_syscall_entry(StepContext& context, const Frame& callee);

}  // namespace xstack::x86
