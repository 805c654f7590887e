// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "arch/arch.h"
#include "arch/frame.h"
#include "guest/memory.h"
#include "linux/task_layout.h"
#include "linux/task_list.h"

namespace xstack {

/// The frame that a task which does not run will go on in: the registers that the scheduler saved of it (arm32: r4 to
/// sl, fp, sp, pc; arm64: x19 to x28, fp, sp, pc; x86: what a struct inactive_task_frame holds, and sp). Its pc is a
/// return address. One line of why when there is none. Makes no sense for a task that runs: what was saved of it then
/// is from before.
[[nodiscard]] tl::expected<Frame, std::string> saved_frame(VirtMemory& memory, const TaskLayout& layout,
                                                           const ArchOps& arch, CodeInfo& code, const KernelTask& task);

}  // namespace xstack
