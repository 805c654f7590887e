// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/x86/pt_regs.h"

namespace xstack::x86 {

/// Why ORC could not say: for the end of the trace when nothing else can either.
struct Miss {
  EndReason reason = EndReason::no_unwind_info;
  std::string detail;
};

/// The caller by ORC: a frame, the end that the tables state, or why they do not help. Only `regs` of an interrupted
/// frame hold more than pc, sp and rbp.
[[nodiscard]] tl::expected<Step, Miss> step_by_orc(StepContext& context, const Frame& callee);

}  // namespace xstack::x86
