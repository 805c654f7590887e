// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/task_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <string_view>
#include <unordered_set>

namespace xstack {
namespace {

constexpr std::uint32_t kMaxPid = 4U << 20;  // PID_MAX_LIMIT
constexpr std::uint32_t kPfKthread = 0x00200000;
constexpr std::size_t kMaxProblems = 16;

// include/linux/sched.h
constexpr std::uint32_t kUninterruptible = 0x2;
constexpr std::uint32_t kReported = 0x7f;
constexpr std::uint32_t kNoLoad = 0x400;
constexpr std::uint32_t kRtLockWait = 0x1000;
constexpr std::uint32_t kFrozen = 0x8000;

/// The lists, followed.
class Lister {
 public:
  Lister(VirtMemory& memory, const TaskLayout& layout, unsigned word_size, std::size_t limit)
      : memory_(memory), layout_(layout), w_(word_size), limit_(limit) {}

  TaskListing run() {
    const GuestVirt head = layout_.init_task + layout_.tasks;
    follow(head, layout_.tasks, "tasks", [&](GuestVirt task) { return add_process(task); });
    if (!layout_.thread_node || !layout_.signal || !layout_.thread_head) {
      problem("where a process's threads are listed is not known: only processes are listed");
    }
    return std::move(listing_);
  }

 private:
  void problem(std::string text) {
    if (listing_.problems.size() < kMaxProblems) {
      listing_.problems.push_back(std::move(text));
    }
  }

  [[nodiscard]] bool full() {
    if (listing_.tasks.size() < limit_) {
      return false;
    }
    problem(fmt::format("the guest has more than {} tasks: the others are not listed", limit_));
    return true;
  }

  /// Calls `visit` with every task on a list whose head is `head` and whose nodes are at `offset` in the tasks, until
  /// that says false. A list that is broken, or leads back into itself, ends there with a problem.
  template <class Visit>
  bool follow(GuestVirt head, std::uint32_t offset, const char* what, Visit visit) {
    GuestVirt node = head;
    std::unordered_set<std::uint64_t> seen;
    for (;;) {
      const auto next = memory_.read_word(node, w_);
      if (!next) {
        problem(fmt::format("the list of {} breaks off at {:#x}: {}", what, node.value, describe(next.error())));
        return false;
      }
      if (GuestVirt(*next) == head) {
        return true;
      }
      const auto back = memory_.read_word(GuestVirt(*next) + w_, w_);
      if (*next % w_ != 0 || !back || GuestVirt(*back) != node || !seen.insert(*next).second) {
        problem(fmt::format("the list of {} breaks off at {:#x}: {:#x} does not follow it", what, node.value, *next));
        return false;
      }
      node = GuestVirt(*next);
      if (!visit(node - offset)) {
        return false;
      }
    }
  }

  bool add(GuestVirt at) {
    if (full()) {
      return false;
    }
    auto task = read_task(memory_, layout_, w_, at);
    if (!task) {
      problem(fmt::format("there is no task at {:#x}, where a list has one", at.value));
      return true;
    }
    if (known_.insert(at.value).second) {
      listing_.tasks.push_back(std::move(*task));
    }
    return true;
  }

  bool add_process(GuestVirt leader) {
    if (!add(leader)) {
      return false;
    }
    if (!layout_.thread_node || !layout_.signal || !layout_.thread_head) {
      return true;
    }
    const auto signal = memory_.read_word(leader + *layout_.signal, w_);
    if (!signal || *signal == 0) {
      problem(fmt::format("the threads of the task at {:#x} could not be read", leader.value));
      return true;
    }
    follow(GuestVirt(*signal) + *layout_.thread_head, *layout_.thread_node, "threads",
           [&](GuestVirt task) { return task == leader || add(task); });
    return !full();
  }

  VirtMemory& memory_;
  const TaskLayout& layout_;
  unsigned w_;
  std::size_t limit_;
  TaskListing listing_;
  std::unordered_set<std::uint64_t> known_;
};

}  // namespace

std::optional<char> state_letter(const KernelTask& task) {
  if (!task.state) {
    return std::nullopt;
  }
  const std::uint32_t both = (*task.state | task.exit_state.value_or(0)) & kReported;
  if (task.exit_state.value_or(0) == 0) {
    if ((*task.state & (kUninterruptible | kNoLoad)) == (kUninterruptible | kNoLoad)) {
      return 'I';
    }
    if (both == 0 && (*task.state & (kRtLockWait | kFrozen)) != 0) {
      return 'D';
    }
  }
  constexpr std::string_view kLetters = "RSDTtXZP";
  return kLetters[std::bit_width(both)];
}

std::optional<KernelTask> read_task(VirtMemory& memory, const TaskLayout& layout, unsigned word_size, GuestVirt at) {
  const auto half = [&](std::uint32_t offset) { return memory.read_value<std::uint32_t>(at + offset); };
  const auto maybe = [&](std::optional<std::uint32_t> offset) -> std::optional<std::uint32_t> {
    const auto value = offset ? half(*offset) : tl::unexpected(Fault{});
    return value ? std::optional(*value) : std::nullopt;
  };
  const auto pid = half(layout.pid);
  const auto tgid = half(layout.tgid);
  const auto comm = memory.read_string(at + layout.comm, kCommBytes);
  const auto stack = memory.read_word(at + layout.stack, word_size);
  if (!pid || !tgid || !comm || !stack || *pid > kMaxPid || *tgid > kMaxPid) {
    return std::nullopt;
  }
  KernelTask task;
  task.at = at;
  task.pid = *pid;
  task.tgid = *tgid;
  task.comm = *comm;
  task.stack = GuestVirt(*stack);
  task.state = maybe(layout.state);
  task.exit_state = maybe(layout.exit_state);
  if (const auto on_cpu = maybe(layout.on_cpu); on_cpu && *on_cpu <= 1) {
    task.on_cpu = *on_cpu == 1;
  }
  if (const auto flags = maybe(layout.flags)) {
    task.kernel_thread = (*flags & kPfKthread) != 0;
  }
  task.cpu = maybe(layout.cpu);
  if (!layout.cpu && layout.saved_kind == TaskLayout::Saved::on_stack && task.stack.value != 0) {
    // arm32 before 5.16: flags, preempt_count, addr_limit, task, cpu (arch/arm/include/asm/thread_info.h).
    const auto cpu = memory.read_value<std::uint32_t>(task.stack + 16);
    task.cpu = cpu ? std::optional(*cpu) : std::nullopt;
  }
  if (layout.real_parent) {
    const auto parent = memory.read_word(at + *layout.real_parent, word_size);
    const auto id =
        parent ? memory.read_value<std::uint32_t>(GuestVirt(*parent) + layout.tgid) : tl::unexpected(Fault{});
    task.parent = id && *id <= kMaxPid ? std::optional(*id) : std::nullopt;
  }
  return task;
}

TaskListing read_tasks(VirtMemory& memory, const TaskLayout& layout, unsigned word_size, std::size_t limit) {
  return Lister(memory, layout, word_size, limit).run();
}

}  // namespace xstack
