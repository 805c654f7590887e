// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "guest/guest.h"
#include "tools/kernel_session.h"
#include "tools/task_report.h"

namespace xstack {

/// Which tasks, and what of them. Empty lists: all.
struct TasksRequest {
  KernelRequest kernel;
  std::string states;               ///< letters as ps shows them
  std::vector<std::uint32_t> pids;  ///< of threads; that of a process stands for all of its threads
  std::vector<std::string> comms;   ///< shell patterns
  bool trace = true;
  bool group = false;
  bool scan = true;
  unsigned max_frames = 256;
};

/// More stacks than this are not walked: the others are listed without, and a warning says so.
inline constexpr std::size_t kMaxTaskTraces = 16384;

/// Lists the guest's tasks, with the trace of each: a task that a vCPU runs has that vCPU's, one that does not run has
/// that of the registers which the scheduler saved. A running guest is paused while the lists, the registers and the
/// memory of the stacks are copied, and runs again while they are worked on. Errors: not_found when the guest's tasks
/// cannot be found at all, with the reason; and those of opening a session.
[[nodiscard]] Result<TasksReport> make_tasks_report(Guest& guest, const TasksRequest& request);

}  // namespace xstack
