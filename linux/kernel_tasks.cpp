// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a kernel's tasks are: LinuxKernel's part of it.
#include <algorithm>
#include <array>
#include <string_view>

#include "linux/btf.h"
#include "linux/linux_kernel.h"
#include "linux/mapped_scan.h"
#include "linux/searching_code.h"
#include "linux/task_list.h"
#include "linux/task_search.h"

namespace xstack {
namespace {

constexpr std::size_t kMaxTask = 16U << 10;  // struct task_struct; those seen have up to 9.6 KiB
constexpr std::size_t kMaxKnown = 1024;
constexpr std::uint64_t kMaxModuleOffset = 2048;  // ModuleBytes::kSize

/// Is there an init_task where `layout` says?
bool is_init_task(VirtMemory& search, const TaskLayout& layout, unsigned word_size) {
  const auto task = read_task(search, layout, word_size, layout.init_task);
  return task && task->pid == 0 && task->comm.starts_with("swapper");
}

/// The name of the task at `init_task`.
std::optional<GuestVirt> comm_of(VirtMemory& search, GuestVirt init_task) {
  std::vector<std::byte> bytes(kMaxTask);
  read_tolerant(search, init_task, bytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto found = text.find("swapper");
  return found != std::string_view::npos ? std::optional(init_task + found) : std::nullopt;
}

}  // namespace

void LinuxKernel::find_task_layout() {
  if (kallsyms_ == nullptr || found_.text.empty()) {
    no_task_layout_ = "the kernel's symbols were not found";
    return;
  }
  const auto init_task = kallsyms_->address_of("init_task");
  const auto by_btf = [&](GuestVirt header, std::optional<GuestVirt> init) -> std::optional<TaskLayout> {
    const auto btf = init ? Btf::open(search_, header, arch_.word_size, task_structures()) : std::nullopt;
    auto layout = btf ? task_layout_of_btf(*btf, arch_) : std::nullopt;
    if (layout) {
      layout->init_task = *init;
    }
    if (!layout || !is_init_task(search_, *layout, arch_.word_size)) {
      return std::nullopt;
    }
    btf_ = header;
    return layout;
  };
  if (const auto header = kallsyms_->address_of("__start_BTF")) {
    found_.tasks = by_btf(*header, init_task);
  }
  SearchingCode code(code_, search_, *found_.kallsyms);
  if (!found_.tasks && init_task) {
    const auto comm = comm_of(search_, *init_task);
    found_.tasks = comm ? tell_task_layout(search_, arch_, code, *comm) : std::nullopt;
  }
  if (!found_.tasks) {
    PageProbe probe(guest_.memory(), cpus_, translations_);
    // kernel/sched/core.c, kernel/power/process.c and kernel/signal.c walk all tasks, from init_task on;
    // kernel/bpf/btf.c reads the kernel's types.
    static constexpr std::array<std::string_view, 6> kUsers = {"btf_parse_vmlinux", "bpf_get_btf_vmlinux",
                                                               "show_state_filter", "normalize_rt_tasks",
                                                               "thaw_processes",    "kill_something_info"};
    FoundTasks found = search_tasks(probe, search_, arch_, code, found_.text.front().end,
                                    data_used_by(kUsers, found_.text.front().end));
    const auto init = init_task || !found.layout ? init_task : std::optional(found.layout->init_task);
    for (std::size_t i = 0; i < found.btf.size() && !found_.tasks; ++i) {
      found_.tasks = by_btf(found.btf[i], init);
    }
    if (!found_.tasks) {
      found_.tasks = found.layout;
    }
  }
  if (!found_.tasks) {
    no_task_layout_ = "no init_task with its children was found in the kernel's data";
  }
}

const TaskLayout* LinuxKernel::task_layout() {
  if (!looked_for_tasks_) {
    looked_for_tasks_ = true;
    find_task_layout();
  }
  return found_.tasks ? &*found_.tasks : nullptr;
}

std::optional<std::uint32_t> LinuxKernel::module_taints() {
  if (!looked_for_taints_) {
    looked_for_taints_ = true;
    static constexpr std::array<std::string_view, 1> kModule{"module"};
    static_cast<void>(task_layout());  // finds the BTF
    const auto btf = btf_ ? Btf::open(search_, *btf_, arch_.word_size, kModule) : std::nullopt;
    const auto member = btf ? btf->member("module", "taints") : std::nullopt;
    if (member && member->offset <= kMaxModuleOffset) {
      found_.module_taints = static_cast<std::uint32_t>(member->offset);
    }
  }
  return found_.module_taints;
}

void LinuxKernel::remember_task(GuestVirt task) {
  auto& known = found_.known_tasks;
  if (known.size() < kMaxKnown && std::find(known.begin(), known.end(), task) == known.end()) {
    known.push_back(task);
  }
}

}  // namespace xstack
