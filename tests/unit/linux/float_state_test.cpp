// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/float_state.h"

#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

using Saved = TaskLayout::Saved;

KernelTask task_at(std::uint64_t at, std::uint64_t stack) {
  KernelTask task;
  task.at = GuestVirt(at);
  task.stack = GuestVirt(stack);
  return task;
}

TEST(FloatState, BehindTheSavedContextOnArm) {
  test::FakeVirt memory;
  TaskLayout layout;
  layout.saved_kind = Saved::in_task;
  layout.saved = 20;  // arm32 6.1: struct thread_info comes first, registers d0 to d31 at 224
  const auto narrow = float_state_of(memory, layout, ArchId::arm32, std::nullopt, task_at(0xc2000000, 0xc8000000));
  ASSERT_TRUE(narrow);
  EXPECT_LE(narrow->at, GuestVirt(0xc2000000 + 224));
  EXPECT_GE(narrow->at + narrow->bytes, GuestVirt(0xc2000000 + 224 + 256));
  EXPECT_GE(narrow->at, GuestVirt(0xc2000000 + 20 + 48)) << "what a trace needs";
  EXPECT_LE(narrow->at + narrow->bytes, GuestVirt(0xc2000000 + 504)) << "the end of union vfp_state";
  layout.saved_kind = Saved::on_stack;
  layout.saved = 28;  // 5.10: syscall, used_cp and tp_value between, registers at 256
  const auto stack = float_state_of(memory, layout, ArchId::arm32, std::nullopt, task_at(0xc2000000, 0xc8000000));
  ASSERT_TRUE(stack);
  EXPECT_LE(stack->at, GuestVirt(0xc8000000 + 248));
  EXPECT_GE(stack->at + stack->bytes, GuestVirt(0xc8000000 + 256 + 256));
  EXPECT_FALSE(float_state_of(memory, layout, ArchId::arm32, std::nullopt, task_at(0xc2000000, 0)))
      << "its stack is gone";
  layout.saved_kind = Saved::in_task;
  layout.saved = 0xa00;  // arm64: registers at 128 behind it
  EXPECT_EQ(float_state_of(memory, layout, ArchId::arm64, std::nullopt, task_at(0xffff000002000000, 0)),
            (FloatState{GuestVirt(0xffff000002000000 + 0xa00 + 112), 528}));
  layout.saved_kind = Saved::unknown;
  EXPECT_FALSE(float_state_of(memory, layout, ArchId::arm64, std::nullopt, task_at(0xffff000002000000, 0)));
}

TEST(FloatState, AsLongAsAnX86KernelSays) {
  test::FakeVirt memory;
  const KernelTask task = task_at(0xffff888005613080, 0);
  TaskLayout layout;
  layout.saved_kind = Saved::pointer;
  EXPECT_FALSE(float_state_of(memory, layout, ArchId::x86_64, std::nullopt, task)) << "no BTF";
  FloatLayout floats{0x2c0, std::nullopt};
  EXPECT_EQ(float_state_of(memory, layout, ArchId::x86_64, floats, task), (FloatState{task.at + 0x2c0, 512}));
  floats.size = 0x280;
  memory.put<std::uint32_t>(task.at + 0x280, 2696);
  EXPECT_EQ(float_state_of(memory, layout, ArchId::x86_64, floats, task), (FloatState{task.at + 0x2c0, 2696}));
  memory.put<std::uint32_t>(task.at + 0x280, 0x80000000);
  EXPECT_EQ(float_state_of(memory, layout, ArchId::x86_64, floats, task), (FloatState{task.at + 0x2c0, 512}))
      << "a lie";
}

}  // namespace
}  // namespace xstack
