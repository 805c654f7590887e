// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "arch/arch.h"

namespace xstack::arm32 {

/// For a vCPU that stopped in an exception mode (IRQ, FIQ, ABT, UND) or in the vectors, before its entry code has put
/// the interrupted context on a task's stack: that context, out of the banked registers and the few words that the
/// vector stub keeps (vector_stub in arch/arm/kernel/entry-armv.S). Nothing when the vCPU is in neither.
[[nodiscard]] std::optional<tl::expected<Frame, TraceEnd>> leave_exception_mode(StepContext& context);

}  // namespace xstack::arm32
