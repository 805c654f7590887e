// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/task_layout.h"

#include <array>

namespace xstack {

std::span<const std::string_view> task_structures() {
  static constexpr std::array<std::string_view, 3> kNames{"task_struct", "signal_struct", "thread_info"};
  return kNames;
}

std::optional<TaskLayout> task_layout_of_btf(const Btf& btf, const ArchOps& arch) {
  const auto at = [&](std::string_view structure, std::string_view path) -> std::optional<std::uint32_t> {
    const auto member = btf.member(structure, path);
    return member && member->offset <= kMaxTaskOffset ? std::optional(static_cast<std::uint32_t>(member->offset))
                                                      : std::nullopt;
  };
  const auto task = [&](std::string_view path) { return at("task_struct", path); };
  const auto tasks = task("tasks");
  const auto pid = task("pid");
  const auto tgid = task("tgid");
  const auto comm = task("comm");
  const auto stack = task("stack");
  if (!tasks || !pid || !tgid || !comm || !stack) {
    return std::nullopt;
  }
  TaskLayout layout;
  layout.by_btf = true;
  layout.stack_size = arch.stack_size;
  layout.tasks = *tasks;
  layout.pid = *pid;
  layout.tgid = *tgid;
  layout.comm = *comm;
  layout.stack = *stack;
  layout.state = task("__state");
  if (!layout.state) {
    layout.state = task("state");
  }
  layout.exit_state = task("exit_state");
  layout.flags = task("flags");
  layout.on_cpu = task("on_cpu");
  layout.cpu = task("thread_info.cpu");
  if (!layout.cpu) {
    layout.cpu = task("cpu");
  }
  layout.real_parent = task("real_parent");
  layout.thread_node = task("thread_node");
  layout.signal = task("signal");
  layout.thread_head = at("signal_struct", "thread_head");
  const auto saved = [&](std::optional<std::uint32_t> offset, TaskLayout::Saved kind) {
    if (offset && layout.saved_kind == TaskLayout::Saved::unknown) {
      layout.saved_kind = kind;
      layout.saved = *offset;
    }
  };
  switch (arch.id) {
    case ArchId::arm64:
      saved(task("thread.cpu_context"), TaskLayout::Saved::in_task);
      break;
    case ArchId::arm32:
      saved(task("thread_info.cpu_context"), TaskLayout::Saved::in_task);
      saved(at("thread_info", "cpu_context"), TaskLayout::Saved::on_stack);
      break;
    case ArchId::x86_32:
    case ArchId::x86_64:
      saved(task("thread.sp"), TaskLayout::Saved::pointer);
      break;
  }
  return layout;
}

}  // namespace xstack
