// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
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

/// Pages that may be kept of tasks: 512 MiB of stacks, structures and page tables.
inline constexpr std::size_t kMaxTaskPages = 131072;

/// Why this guest's tasks cannot be listed: it is a capture that was written without them. Nothing otherwise.
[[nodiscard]] std::optional<std::string> no_tasks_in(const Guest& guest);
/// The fact by which a capture says that it holds the guest's tasks.
[[nodiscard]] std::pair<std::string, std::string> tasks_fact(std::size_t tasks);

/// Reads, for a capture, what a listing of all tasks with their traces needs. A kernel whose tasks are not found must
/// not come here.
class TaskCapture {
 public:
  explicit TaskCapture(KernelSession& session);
  ~TaskCapture();
  TaskCapture(const TaskCapture&) = delete;
  TaskCapture& operator=(const TaskCapture&) = delete;

  /// While the guest stands still: lists, structures and stacks, through `pages`. The last one counts.
  void take(const std::vector<DecodedVcpu>& vcpus, PhysMemory& pages, bool freeze);
  /// Afterwards: what traces and names need. Returns the number of tasks; not_found when their list is broken.
  [[nodiscard]] Result<std::size_t> finish(PhysMemory& pages);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Lists the guest's tasks, with the trace of each: a task that a vCPU runs has that vCPU's, one that does not run has
/// that of the registers which the scheduler saved. A running guest is paused while the lists, the registers and the
/// memory of the stacks are copied, and runs again while they are worked on. Of a capture that was written without
/// tasks there is a report without any, which says so. Errors: not_found when the guest's tasks cannot be found at all,
/// with the reason; and those of opening a session.
[[nodiscard]] Result<TasksReport> make_tasks_report(Guest& guest, const TasksRequest& request);

}  // namespace xstack
