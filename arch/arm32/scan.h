// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "arch/arch.h"

namespace xstack::arm32 {

/// The last resort: a word between the callee's stack pointer and the end of its stack that is a return address, with
/// a call before it. A direct call has to name the callee's own function, when that is known; the first word that does
/// is taken, else the first one after a call through a register. A guess, and marked as one. Reads at most one stack.
[[nodiscard]] std::optional<Frame> scan_for_caller(StepContext& context, const Frame& callee);

}  // namespace xstack::arm32
