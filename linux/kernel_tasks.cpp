// SPDX-License-Identifier: LGPL-2.1-or-later
// Where a kernel's tasks are: LinuxKernel's part of it.
#include <algorithm>
#include <array>
#include <string_view>

#include "base/endian.h"
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
constexpr std::size_t kMaxPointed = 64;             // pages
constexpr std::uint64_t kMaxPointedAt = 64U << 20;  // behind the code
constexpr std::uint64_t kMaxModuleOffset = 2048;    // ModuleBytes::kSize

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

/// Pages that init_task and the kernel's types may be on, by the functions that use them.
std::vector<GuestVirt> LinuxKernel::likely_task_pages() {
  // kernel/sched/core.c, kernel/power/process.c and kernel/signal.c walk all tasks, from init_task on.
  static constexpr std::array<std::string_view, 4> kWalkers = {"show_state_filter", "normalize_rt_tasks",
                                                               "thaw_processes", "kill_something_info"};
  static constexpr std::array<std::string_view, 2> kReaders = {"btf_parse_vmlinux", "bpf_get_btf_vmlinux"};
  const GuestVirt begin = found_.text.front().end;
  auto pages = data_used_by(kWalkers, begin);
  const auto types = data_used_by(kReaders, begin);
  pages.insert(pages.end(), types.begin(), types.end());
  if (arch_.word_size != 8) {
    return pages;
  }
  // __start_BTF is a weak symbol (kernel/bpf/btf.c), so that its address may stand in a table of addresses.
  std::vector<std::byte> bytes(kXenPageSize);
  std::vector<GuestVirt> pointed;
  search_.prefetch(types);
  for (const GuestVirt page : types) {
    read_tolerant(search_, page, bytes);
    for (std::size_t at = 0; at < bytes.size() && pointed.size() < kMaxPointed; at += 8) {
      const GuestVirt target(load_le<std::uint64_t>(bytes.data() + at));
      const GuestVirt its_page(target.value & ~(kXenPageSize - 1));
      if (target >= begin && target - begin < kMaxPointedAt && target.value % 4 == 0 &&
          std::find(pointed.begin(), pointed.end(), its_page) == pointed.end()) {
        pointed.push_back(its_page);
      }
    }
  }
  pages.insert(pages.end(), pointed.begin(), pointed.end());
  return pages;
}

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
    FoundTasks found = search_tasks(probe, search_, arch_, code, found_.text.front().end, likely_task_pages());
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
