// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>

#include "arch/arch.h"

namespace xstack::x86 {

/// ArchOps::mark_stacks: says "irq", "nmi", "df", "db", "mce", "vc" or "entry" for frames that are on such a stack. The
/// stacks are told apart by how the trace itself crosses from one to the next, and named after the code that switched;
/// frames of a stack that nothing names stay as they are.
void mark_stacks(StepContext& context, std::span<Frame> frames);

}  // namespace xstack::x86
