// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/arch.h"

namespace xstack::x86 {

/// ArchOps::first_frame and ArchOps::step of both widths.
[[nodiscard]] Frame first_frame(const CpuState& cpu);
[[nodiscard]] tl::expected<Frame, TraceEnd> step(StepContext& context, const Frame& callee, unsigned depth);

}  // namespace xstack::x86
