// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/x86/orc_step.h"

namespace xstack::x86 {

/// The caller by the frame pointer: the chain of saved rbp (ebp), encoded frame pointers that stand for a pt_regs
/// (ENCODE_FRAME_POINTER, Linux 4.9 on), and a top frame whose function has not built or has already taken down its
/// frame. Only where it is known that rbp is a frame pointer: the function has such a prologue, or no symbol covers it
/// (BPF programs, trampolines, a guest without symbols) and the saved return address follows a call.
[[nodiscard]] tl::expected<Step, Miss> step_by_frame_pointer(StepContext& context, const Frame& callee);

}  // namespace xstack::x86
