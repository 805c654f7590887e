// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/arch.h"

namespace xstack::arm64 {

/// ArchOps::first_frame.
[[nodiscard]] Frame first_frame(const CpuState& cpu);

/// ArchOps::step: the caller of a frame by frame records, by the link register while that is live, and across
/// exceptions by the saved registers.
[[nodiscard]] tl::expected<Frame, TraceEnd> step(StepContext& context, const Frame& callee, unsigned depth);

}  // namespace xstack::arm64
