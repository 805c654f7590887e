// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/task_search.h"

#include <gtest/gtest.h>

#include "linux/current_task.h"
#include "linux/saved_registers.h"
#include "tests/support/fake_memory.h"
#include "tests/support/fake_tasks.h"
#include "tests/support/identity_translation.h"

namespace xstack {
namespace {

constexpr std::uint64_t kCode = 0xffff800080000000;

class Code final : public CodeInfo {
 public:
  std::optional<CodeSymbol> function_at(GuestVirt) override { return std::nullopt; }
  std::optional<bool> is_code(GuestVirt at) override { return at.value >= kCode && at.value < kCode + 0x100000; }
  std::optional<GuestVirt> address_of(std::string_view name) override {
    return name == "current_task" ? std::optional(GuestVirt(0x1234)) : std::nullopt;
  }
};

/// A kernel that has just booted: the first process, kthreadd and some others, all asleep.
struct Booted {
  Booted() {
    tasks.add(1, "init");
    tasks.add(2, "kthreadd");
    for (std::uint32_t pid = 3; pid < 12; ++pid) {
      tasks.add(pid, "worker");
    }
    const TaskLayout& at = tasks.layout;
    const std::uint32_t parent = *at.real_parent;
    const GuestVirt children = tasks.at(0) + (parent + 16);
    const auto sibling = [&](std::size_t i) { return tasks.at(i) + (parent + 32); };
    put(tasks.at(0) + (parent + 8), tasks.at(0).value);
    put(tasks.at(0) + (parent + 48), tasks.at(0).value);
    put(children, sibling(1).value);
    put(children + 8, sibling(2).value);
    put(sibling(1), sibling(2).value);
    put(sibling(2), children.value);
    put(sibling(0), sibling(0).value);
    put(sibling(0) + 8, sibling(0).value);
    for (std::size_t i = 1; i < 12; ++i) {
      tasks.memory.put<std::uint32_t>(tasks.at(i) + *at.flags, i == 1 ? 0x400100 : 0x208040);
      tasks.memory.put<std::uint32_t>(tasks.at(i) + (*at.exit_state + 8), 17);
      sleep(i);
    }
  }
  void put(GuestVirt at, std::uint64_t value) { tasks.memory.put(at, value); }
  void sleep(std::size_t i) {
    const GuestVirt saved = tasks.at(i) + tasks.layout.saved;
    const std::uint64_t sp = tasks.stack(i).value + 0x3000;
    for (std::uint64_t k = 0; k < 10; ++k) {
      put(saved + k * 8, 0x1900 + k);
    }
    put(saved + 80, sp + 0x10);
    put(saved + 88, sp);
    put(saved + 96, kCode + 0x100);
  }
  std::optional<TaskLayout> tell() {
    return tell_task_layout(tasks.memory, arch_ops(ArchId::arm64), code, tasks.at(0) + tasks.layout.comm);
  }

  test::FakeTasks tasks;
  Code code;
};

TEST(TaskSearch, TellsTheLayoutFromTheTasks) {
  Booted guest;
  const auto found = guest.tell();
  ASSERT_TRUE(found);
  TaskLayout expected = guest.tasks.layout;
  expected.on_cpu.reset();  // structure alone does not tell these
  expected.cpu.reset();
  EXPECT_EQ(found->init_task.value, expected.init_task.value);
  EXPECT_EQ(found->state, expected.state);
  EXPECT_EQ(found->exit_state, expected.exit_state);
  EXPECT_EQ(found->thread_node, expected.thread_node);
  EXPECT_EQ(found->saved, expected.saved);
  EXPECT_EQ(*found, expected);
}

TEST(TaskSearch, IsFoundWhereTheKernelsFunctionsPointBeforeAllIsSearched) {
  Booted guest;
  const auto find = [&](std::span<const GuestVirt> likely) {
    CpuState cpu;
    cpu.translations.push_back(std::make_shared<test::IdentityTranslation>([](std::uint64_t) { return true; }));
    test::FakePhys physical;
    PageProbe probe(physical, std::span(&cpu, 1));
    const GuestVirt nowhere(0x1000);  // mapped, but nothing is there: a search must come to an end
    return search_tasks(probe, guest.tasks.memory, arch_ops(ArchId::arm64), guest.code, nowhere, likely);
  };
  const GuestVirt comm = guest.tasks.at(0) + guest.tasks.layout.comm;
  const GuestVirt page(comm.value & ~(kXenPageSize - 1));
  const auto found = find(std::span(&page, 1));
  ASSERT_TRUE(found.layout);
  EXPECT_EQ(found.layout->init_task, guest.tasks.at(0));
  EXPECT_FALSE(find({}).layout);
}

TEST(TaskSearch, ANameAloneIsNoTask) {
  Booted guest;
  test::FakeVirt copy;
  for (std::size_t k = 0; k < 9; ++k) {
    copy.put<char>(GuestVirt(0xffff000000200100) + k, "swapper/0"[k]);
  }
  EXPECT_FALSE(tell_task_layout(copy, arch_ops(ArchId::arm64), guest.code, GuestVirt(0xffff000000200100)));
}

TEST(TaskSearch, WithoutTheFirstTwoChildrenThereIsNothingToGoBy) {
  Booted guest;
  guest.tasks.memory.put<std::uint32_t>(guest.tasks.at(2) + guest.tasks.layout.pid, 77);
  EXPECT_FALSE(guest.tell());
}

TEST(TaskSearch, LeavesOutWhatItCannotTell) {
  Booted guest;
  for (std::size_t i = 1; i < 12; ++i) {
    guest.put(guest.tasks.at(i) + (guest.tasks.layout.saved + 96), 0x1000);  // no code
  }
  guest.put(guest.tasks.at(2) + *guest.tasks.layout.signal, 0);
  const auto found = guest.tell();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->saved_kind, TaskLayout::Saved::unknown);
  EXPECT_FALSE(found->thread_node);
  EXPECT_FALSE(found->signal);
}

KernelTask task(Booted& guest, std::size_t i) {
  return *read_task(guest.tasks.memory, guest.tasks.layout, 8, guest.tasks.at(i));
}

TEST(SavedRegisters, AreThoseThatTheSchedulerSaved) {
  Booted guest;
  const auto frame =
      saved_frame(guest.tasks.memory, guest.tasks.layout, arch_ops(ArchId::arm64), guest.code, task(guest, 3));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->pc.value, kCode + 0x100);
  EXPECT_EQ(frame->sp->value, guest.tasks.stack(3).value + 0x3000);
  EXPECT_FALSE(frame->exact);
  EXPECT_EQ(frame->regs.get(19), 0x1900U);
  EXPECT_EQ(frame->regs.get(28), 0x1909U);
  EXPECT_EQ(frame->regs.get(arch_ops(ArchId::arm64).fp), guest.tasks.stack(3).value + 0x3010);
  EXPECT_FALSE(frame->regs.known(0));
}

TEST(SavedRegisters, AStackPointerThatIsElsewhereIsRefused) {
  Booted guest;
  guest.put(guest.tasks.at(3) + (guest.tasks.layout.saved + 88), guest.tasks.stack(2).value + 0x100);
  EXPECT_FALSE(
      saved_frame(guest.tasks.memory, guest.tasks.layout, arch_ops(ArchId::arm64), guest.code, task(guest, 3)));
  KernelTask dead = task(guest, 4);
  dead.stack = GuestVirt(0);
  EXPECT_FALSE(saved_frame(guest.tasks.memory, guest.tasks.layout, arch_ops(ArchId::arm64), guest.code, dead));
}

struct Vcpu {
  explicit Vcpu(ArchId id) { cpu.arch = &arch_ops(id); }
  std::optional<KernelTask> current(Booted& guest, std::span<const GuestVirt> known = {}) {
    return current_task({.arch = *cpu.arch,
                         .cpu = cpu,
                         .frames = {},
                         .memory = guest.tasks.memory,
                         .search = guest.tasks.memory,
                         .code = guest.code,
                         .layout = guest.tasks.layout,
                         .known = known});
  }
  void set(std::string_view name, std::uint64_t value) {
    for (std::size_t i = 0; i < cpu.arch->registers.size(); ++i) {
      if (name == cpu.arch->registers[i].name) {
        cpu.regs.set(static_cast<RegisterIndex>(i), value);
      }
    }
  }
  CpuState cpu;
};

TEST(CurrentTask, IsInSpEl0WhileArm64IsInTheKernel) {
  Booted guest;
  Vcpu vcpu(ArchId::arm64);
  vcpu.set("sp_el0", guest.tasks.at(5).value);
  ASSERT_TRUE(vcpu.current(guest));
  EXPECT_EQ(vcpu.current(guest)->pid, 5U);
  vcpu.set("sp_el0", guest.tasks.at(5).value + 8);
  EXPECT_FALSE(vcpu.current(guest));
  vcpu.set("sp_el0", guest.tasks.at(5).value);
  vcpu.cpu.user = true;  // a user's stack pointer is none of the kernel's
  EXPECT_FALSE(vcpu.current(guest));
}

TEST(CurrentTask, IsAPerCpuVariableOfX86) {
  Booted guest;
  Vcpu vcpu(ArchId::x86_64);
  vcpu.set("gs_base_kernel", 0xffff888000000000);
  guest.put(GuestVirt(0xffff888000001234), guest.tasks.at(6).value);
  ASSERT_TRUE(vcpu.current(guest));
  EXPECT_EQ(vcpu.current(guest)->pid, 6U);
}

TEST(CurrentTask, IsTheOneWhoseStackIsInUse) {
  Booted guest;
  Vcpu vcpu(ArchId::arm64);
  vcpu.set("sp", guest.tasks.stack(7).value + 0x2000);
  EXPECT_FALSE(vcpu.current(guest));
  const std::vector<GuestVirt> known{guest.tasks.at(4), guest.tasks.at(7)};
  ASSERT_TRUE(vcpu.current(guest, known));
  EXPECT_EQ(vcpu.current(guest, known)->pid, 7U);
  // A word on that stack that points to the task will do as well.
  guest.put(guest.tasks.stack(7) + 0x2100, guest.tasks.at(4).value);
  EXPECT_FALSE(vcpu.current(guest));
  guest.put(guest.tasks.stack(7) + 0x2108, guest.tasks.at(7).value);
  ASSERT_TRUE(vcpu.current(guest));
  EXPECT_EQ(vcpu.current(guest)->pid, 7U);
}

}  // namespace
}  // namespace xstack
