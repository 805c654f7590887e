// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>

#include "arch/arch.h"

namespace xstack::arm64 {

/// ArchOps::mark_stacks: marks the frames that are not on the outermost stack of the trace, the task's.
void mark_stacks(StepContext& context, std::span<Frame> frames);

}  // namespace xstack::arm64
