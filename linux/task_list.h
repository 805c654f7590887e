// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "guest/memory.h"
#include "linux/task_layout.h"

namespace xstack {

/// One task (thread) as the guest has it. Its name is the guest's: escape it to show it.
struct KernelTask {
  GuestVirt at;  ///< its struct task_struct
  std::uint32_t pid = 0;
  std::uint32_t tgid = 0;
  std::string comm;
  GuestVirt stack;  ///< lowest byte of its kernel stack; 0 once a dead task's stack is gone
  std::optional<std::uint32_t> state;
  std::optional<std::uint32_t> exit_state;
  std::optional<bool> on_cpu;
  std::optional<std::uint32_t> cpu;
  std::optional<std::uint32_t> parent;  ///< the tgid of real_parent: what ps shows as PPID
  std::optional<bool> kernel_thread;
};

/// The letter that ps shows for a task: R S D T t X Z P I (fs/proc/array.c, task_state_array; 4.14 on). Nothing when
/// the state is not known.
[[nodiscard]] std::optional<char> state_letter(const KernelTask& task);

/// The task whose structure is at `at`. Nothing when it could not be read or is none: a pid beyond all bounds, a name
/// that is not printable text.
[[nodiscard]] std::optional<KernelTask> read_task(VirtMemory& memory, const TaskLayout& layout, unsigned word_size,
                                                  GuestVirt at);

/// More tasks than this are not listed; the kernel itself allows 4 million, but no guest comes near.
inline constexpr std::size_t kMaxTasks = 262144;

/// Every thread of every process, in the order of the kernel's list, without the idle tasks. `problems` says where the
/// lists break off, if they do: what was found until then stands.
struct TaskListing {
  std::vector<KernelTask> tasks;
  std::vector<std::string> problems;
};
[[nodiscard]] TaskListing read_tasks(VirtMemory& memory, const TaskLayout& layout, unsigned word_size,
                                     std::size_t limit = kMaxTasks);

}  // namespace xstack
