// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "arch/frame.h"
#include "tools/report.h"

namespace xstack {

/// One task of the guest. Strings are the guest's, unescaped: printers escape.
struct TaskReport {
  std::uint32_t pid = 0;   ///< of the thread
  std::uint32_t tgid = 0;  ///< of the process that it belongs to
  std::string comm;
  std::optional<char> state;  ///< the letter that ps shows
  std::optional<std::uint32_t> parent;
  std::optional<std::uint32_t> cpu;  ///< the guest's own number of the CPU that it runs on or ran on last
  std::optional<bool> kernel_thread;
  bool idle = false;                  ///< an idle task that a vCPU runs: pid 0, on none of the kernel's lists
  std::optional<unsigned> vcpu;       ///< the vCPU that runs it
  std::optional<CpuState> registers;  ///< that vCPU's
  GuestVirt structure;                ///< its struct task_struct
  std::vector<NamedFrame> frames;
  std::optional<TraceEnd> end;
  std::optional<std::string> no_trace;  ///< why there is none, when one was asked for
};

/// Tasks that wait in the same place: indices into TasksReport::tasks.
using TaskGroup = std::vector<std::size_t>;

/// What `xstack tasks` found, ready for any printer. Passive data.
struct TasksReport {
  GuestReport guest;
  std::vector<TaskReport> tasks;                 ///< those that were asked for, in the order of the kernel's list
  std::size_t listed = 0;                        ///< all that there are, without idle tasks
  bool traced = true;                            ///< traces were asked for
  std::optional<std::vector<TaskGroup>> groups;  ///< largest first, when they were asked for
  std::optional<std::uint64_t> pause_us;         ///< absent: the guest was not paused by us
  std::vector<std::string> warnings;
  bool partial = false;
};

}  // namespace xstack
