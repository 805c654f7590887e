// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "arch/code.h"
#include "guest/memory.h"
#include "linux/mapped_scan.h"
#include "linux/task_layout.h"

namespace xstack {

/// What one pass over the kernel's data shows of its tasks and types.
struct FoundTasks {
  std::optional<TaskLayout> layout;
  std::vector<GuestVirt> btf;  ///< what may be the header of a .BTF section: constant data, which lies before the tasks
};

/// Looks for init_task by its name, until tell_task_layout() knows one, for kernels whose kallsyms lack data symbols.
/// `likely` pages are looked at first. Where these do not show it, or not all that a kernel of its word size may have
/// (types), up to 64 MiB of what is mapped from `begin` on are searched.
[[nodiscard]] FoundTasks search_tasks(PageProbe& probe, VirtMemory& search, const ArchOps& arch, CodeInfo& code,
                                      GuestVirt begin, std::span<const GuestVirt> likely = {});

/// The layout of struct task_struct, told from the tasks themselves: the task whose name is at `comm` must be
/// init_task, whose parents are itself and whose children are the first process and kthreadd. What leads from there:
///  - real_parent, parent, children, sibling, group_leader stand together, in this order (include/linux/sched.h since
///    2.6), pid and tgid right before them, with or without a stack canary between;
///  - `stack` points to what begins with STACK_END_MAGIC, or with a thread_info that points back;
///  - `tasks` is the list that leads from init_task to its first child, and on to its second;
///  - thread_node's only neighbour is the head of a list of one, in what `signal` points to;
///  - the saved registers of tasks that sleep are a stack pointer into their own stack and a pc in code.
/// Nothing when these relations do not hold. Bounded: some dozens of tasks are read.
[[nodiscard]] std::optional<TaskLayout> tell_task_layout(VirtMemory& search, const ArchOps& arch, CodeInfo& code,
                                                         GuestVirt comm);

}  // namespace xstack
