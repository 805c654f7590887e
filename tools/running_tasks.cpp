// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/running_tasks.h"

#include "linux/current_task.h"
#include "linux/task_list.h"
#include "unwind/walker.h"

namespace xstack {

std::vector<std::optional<std::uint32_t>> running_pids(KernelSession& session, const std::vector<DecodedVcpu>& vcpus) {
  constexpr unsigned kFrames = 256;
  std::vector<std::optional<std::uint32_t>> pids(vcpus.size());
  Kernel& kernel = *session.kernel();
  const TaskLayout* layout = kernel.task_layout();
  if (layout == nullptr) {
    return pids;
  }
  std::vector<GuestVirt> known{layout->init_task};
  for (const KernelTask& task : read_tasks(session.search(), *layout, session.arch().word_size).tasks) {
    known.push_back(task.at);
  }
  for (std::size_t i = 0; i < vcpus.size(); ++i) {
    if (!vcpus[i].cpu) {
      continue;
    }
    TranslatedMemory memory(session.guest().memory(), session.translations(vcpus, i));
    StepContext context{*vcpus[i].cpu, memory, kernel.code(), kernel.unwind_tables(), false};
    const auto walk = walk_stack(context, kFrames);
    const auto task = current_task({.arch = session.arch(),
                                    .cpu = *vcpus[i].cpu,
                                    .frames = walk.frames,
                                    .memory = memory,
                                    .search = memory,
                                    .code = kernel.code(),
                                    .layout = *layout,
                                    .known = known});
    if (task) {
      pids[i] = task->pid;
    }
  }
  return pids;
}

}  // namespace xstack
