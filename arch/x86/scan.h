// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/x86/pt_regs.h"

namespace xstack::x86 {

/// The last resort: the first word above the stack pointer that is a return address. A direct call before it that goes
/// to the callee's own function is preferred over one that only could be. Marked FoundBy::scan: a guess. Nothing when
/// there is none within a stack's size.
[[nodiscard]] std::optional<Frame> scan_for_caller(StepContext& context, const Frame& callee);

}  // namespace xstack::x86
