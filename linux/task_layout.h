// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "arch/arch.h"
#include "base/address.h"
#include "linux/btf.h"

namespace xstack {

/// Where the members of a kernel's struct task_struct are that matter here (include/linux/sched.h), in bytes from its
/// start, and where its tasks begin. Members that could not be found are absent, and what needs them is then not said.
struct TaskLayout {
  GuestVirt init_task;      ///< the first task, pid 0: not one of those that /proc shows, but the head of their list
  std::uint32_t tasks = 0;  ///< list_head: all thread group leaders
  std::uint32_t pid = 0;
  std::uint32_t tgid = 0;
  std::uint32_t comm = 0;              ///< 16 bytes
  std::uint32_t stack = 0;             ///< address of the lowest byte of the task's kernel stack
  std::optional<std::uint32_t> state;  ///< 4 bytes are read, which hold all states in either form (long before 5.14)
  std::optional<std::uint32_t> exit_state;
  std::optional<std::uint32_t> flags;
  std::optional<std::uint32_t> on_cpu;       ///< 1 while the task runs on a CPU (SMP kernels)
  std::optional<std::uint32_t> cpu;          ///< the CPU that it runs on or ran on last
  std::optional<std::uint32_t> real_parent;  ///< struct task_struct*
  /// The threads of a group: list_head in each task, its head in struct signal_struct (3.14 on).
  std::optional<std::uint32_t> thread_node;
  std::optional<std::uint32_t> signal;
  std::optional<std::uint32_t> thread_head;  ///< in struct signal_struct

  /// What the scheduler saved of a task that does not run.
  enum class Saved : std::uint8_t {
    unknown,
    in_task,   ///< arm32 5.16 on, arm64: struct cpu_context at `saved` in the task
    on_stack,  ///< arm32 before: at `saved` from the lowest byte of the stack, in struct thread_info
    pointer,   ///< x86: a stack pointer at `saved` in the task, to a struct inactive_task_frame
  };
  Saved saved_kind = Saved::unknown;
  std::uint32_t saved = 0;

  std::uint64_t stack_size = 16384;  ///< bytes of a task's kernel stack, at least
  bool by_btf = false;               ///< by the kernel's own word; else by what its tasks look like

  friend bool operator==(const TaskLayout&, const TaskLayout&) = default;
};

/// The layout as the kernel's BTF has it; `init_task` is left to the caller. Nothing when a member that everything
/// needs is not there.
[[nodiscard]] std::optional<TaskLayout> task_layout_of_btf(const Btf& btf, const ArchOps& arch);

/// The structures that task_layout_of_btf() asks for.
[[nodiscard]] std::span<const std::string_view> task_structures();

/// No structure in a kernel is larger than this; an offset beyond it is a lie.
inline constexpr std::uint32_t kMaxTaskOffset = 64U << 10;
inline constexpr std::size_t kCommBytes = 16;

}  // namespace xstack
