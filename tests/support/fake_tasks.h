// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "linux/task_layout.h"
#include "tests/support/fake_memory.h"

namespace xstack::test {

/// A 64-bit kernel's tasks, built by hand: init_task and any number of others, each with a stack of its own.
class FakeTasks {
 public:
  static constexpr std::uint64_t kTasks = 0xffff000000100000;
  static constexpr std::uint64_t kStacks = 0xffff800010000000;
  static constexpr std::uint64_t kStackSize = 16384;
  static constexpr std::uint64_t kSignals = 0xffff000008000000;

  FakeTasks() {
    layout.init_task = GuestVirt(kTasks);
    layout.state = 24;
    layout.stack = 32;
    layout.flags = 44;
    layout.on_cpu = 52;
    layout.cpu = 20;
    layout.tasks = 400;
    layout.exit_state = 440;
    layout.pid = 600;
    layout.tgid = 604;
    layout.real_parent = 616;  // a stack canary stands between
    layout.thread_node = 704;
    layout.comm = 904;
    layout.signal = 960;
    layout.thread_head = 16;
    layout.saved_kind = TaskLayout::Saved::in_task;
    layout.saved = 2048;
    layout.stack_size = kStackSize;
    put_task(0, 0, "swapper/0");
    link();
  }

  [[nodiscard]] static GuestVirt at(std::size_t i) { return GuestVirt(kTasks + i * 16384); }
  [[nodiscard]] static GuestVirt stack(std::size_t i) { return GuestVirt(kStacks + i * 2 * kStackSize); }
  [[nodiscard]] static GuestVirt signal(std::size_t i) { return GuestVirt(kSignals + i * 4096); }

  /// A process of one thread. Returns its number.
  std::size_t add(std::uint32_t pid, const std::string& comm, std::uint32_t state = 1) {
    leaders_.push_back(count_);
    put_task(count_, pid, comm);
    memory.put<std::uint32_t>(at(count_) + *layout.state, state);
    link();
    return count_ - 1;
  }

  /// Threads of the process whose leader is `leader`.
  void add_threads(std::size_t leader, const std::vector<std::uint32_t>& pids) {
    std::vector<std::size_t> group{leader};
    for (const std::uint32_t pid : pids) {
      put_task(count_, pid, "thread");
      memory.put<std::uint32_t>(at(count_ - 1) + layout.tgid,
                                *memory.read_value<std::uint32_t>(at(leader) + layout.pid));
      memory.put(at(count_ - 1) + *layout.signal, signal(leader).value);
      group.push_back(count_ - 1);
    }
    ring(signal(leader) + *layout.thread_head, group, *layout.thread_node);
  }

  FakeVirt memory;
  TaskLayout layout;

 private:
  void put_task(std::size_t i, std::uint32_t pid, const std::string& comm) {
    count_ = i + 1;
    memory.put<std::uint32_t>(at(i) + layout.pid, pid);
    memory.put<std::uint32_t>(at(i) + layout.tgid, pid);
    for (std::size_t k = 0; k < kCommBytes; ++k) {
      memory.put<char>(at(i) + layout.comm + k, k < comm.size() ? comm[k] : '\0');
    }
    memory.put(at(i) + layout.stack, stack(i).value);
    memory.put(stack(i), std::uint64_t{0x57ac6e9d});
    for (std::uint64_t page = 0; page < kStackSize; page += kXenPageSize) {
      memory.touch(stack(i) + page);
    }
    memory.touch(at(i) + 8192);
    memory.put(at(i) + *layout.real_parent, at(0).value);
    memory.put(at(i) + *layout.signal, signal(i).value);
    ring(signal(i) + *layout.thread_head, {i}, *layout.thread_node);
  }

  /// A list of tasks with its head.
  void ring(GuestVirt head, const std::vector<std::size_t>& tasks, std::uint32_t offset) {
    GuestVirt before = head;
    for (const std::size_t i : tasks) {
      const GuestVirt node = at(i) + offset;
      memory.put(before, node.value);
      memory.put(node + 8, before.value);
      before = node;
    }
    memory.put(before, head.value);
    memory.put(head + 8, before.value);
  }
  void link() { ring(at(0) + layout.tasks, leaders_, layout.tasks); }

  std::size_t count_ = 0;
  std::vector<std::size_t> leaders_;
};

}  // namespace xstack::test
