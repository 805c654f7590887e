// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <span>

#include "arch/arch.h"
#include "arch/code.h"
#include "arch/frame.h"
#include "guest/memory.h"
#include "linux/task_layout.h"
#include "linux/task_list.h"

namespace xstack {

/// Everything that tells which task a vCPU runs. Borrowed.
struct CurrentPlace {
  const ArchOps& arch;
  const CpuState& cpu;
  std::span<const Frame> frames;  ///< its trace, as far as there is one: its outermost frames are on the task's stack
  VirtMemory& memory;             ///< what is read of the answer is read here
  VirtMemory& search;             ///< the same addresses, for looking at many candidates and keeping nothing
  CodeInfo& code;
  const TaskLayout& layout;
  std::span<const GuestVirt> known;  ///< structures of tasks that it could be, when nothing else says
};

/// The task that a vCPU runs, the idle task included. By what the architecture's kernel itself goes by: SP_EL0 (arm64,
/// in the kernel), per-CPU current_task or pcpu_hot (x86), thread_info on the stack (arm32 before 5.16); else by the
/// task's own stack, which the vCPU is on: a word of its registers or of that stack that points to a task which has
/// just this stack, or one of the tasks in `known` which has. Each answer is held against the task: it must be one, and
/// have a sane stack. Nothing when none of that leads to a task.
[[nodiscard]] std::optional<KernelTask> current_task(const CurrentPlace& place);

}  // namespace xstack
