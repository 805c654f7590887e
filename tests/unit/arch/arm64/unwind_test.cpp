// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/unwind.h"

#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"
#include "tests/unit/arch/arm64/context.h"
#include "tests/unit/arch/arm64/fake_code.h"
#include "unwind/walker.h"

namespace xstack {
namespace {

constexpr std::uint64_t kText = 0xffff'8000'0801'0000;
constexpr std::uint64_t kEntryText = 0xffff'8000'0802'0000;
constexpr std::uint64_t kStack = 0xffff'8000'0a01'8000;  // [kStack, kStack + 16 KiB)
constexpr std::uint64_t kIrqStack = 0xffff'8000'0800'8000;

constexpr std::uint32_t kBl = 0x9400'1000;
constexpr std::uint32_t kNop = 0xd503'201f;

/// Functions of 0x100 bytes each, "f0" at kText and so on, that all begin with "stp x29, x30, [sp, #-32]!; mov x29, sp"
/// and then call; and an entry routine.
class Arm64Unwind : public ::testing::Test {
 protected:
  Arm64Unwind() {
    for (unsigned i = 0; i < 8; ++i) {
      function(i, {0xa9be'7bfd, 0x9100'03fd, kBl, kNop});
    }
    for (unsigned i = 0; i < 64; ++i) {
      memory_.put(GuestVirt(kEntryText + i * 4), kNop);
    }
    memory_.put(GuestVirt(kEntryText), std::uint32_t{0xa900'07e0});  // stp x0, x1, [sp]
    memory_.put(GuestVirt(kEntryText + 0x40), kBl);
    code_.add(kEntryText, 0x100, "el1h_64_irq");
    for (std::uint64_t page = 0; page < 4; ++page) {
      memory_.touch(GuestVirt(kStack + page * 4096));
      memory_.touch(GuestVirt(kIrqStack + page * 4096));
    }
  }

  void function(unsigned n, std::initializer_list<std::uint32_t> instructions) {
    std::uint64_t at = kText + n * 0x100;
    for (unsigned i = 0; i < 64; ++i) {
      memory_.put(GuestVirt(at + i * 4), kNop);
    }
    for (const std::uint32_t instruction : instructions) {
      memory_.put(GuestVirt(at), instruction);
      at += 4;
    }
    code_.add(kText + n * 0x100, 0x100, "f" + std::to_string(n));
  }

  /// A return address into function n: behind its call.
  static std::uint64_t in(unsigned n) { return kText + n * 0x100 + 12; }

  void record(std::uint64_t at, std::uint64_t fp, std::uint64_t lr) {
    memory_.put(GuestVirt(at), fp);
    memory_.put(GuestVirt(at + 8), lr);
  }

  void pt_regs(std::uint64_t at, std::uint64_t fp, std::uint64_t sp, std::uint64_t pc, std::uint64_t pstate) {
    memory_.put(GuestVirt(at + 29 * 8), fp);
    memory_.put(GuestVirt(at + 248), sp);
    memory_.put(GuestVirt(at + 256), pc);
    memory_.put(GuestVirt(at + 264), pstate);
  }

  Walk walk() {
    const CpuState cpu = context_.decode();
    StepContext step{cpu, memory_, code_, tables_, scan_};
    return walk_stack(step);
  }

  test::Arm64Context context_;
  test::FakeVirt memory_;
  test::FakeCode code_;
  UnwindTables tables_;
  bool scan_ = false;
};

TEST_F(Arm64Unwind, FollowsRecordsAndRemovesPointerAuthentication) {
  context_.pc(in(0)).x(29, kStack + 0x1000).sp_el1(kStack + 0x1000);
  record(kStack + 0x1000, kStack + 0x1100, (in(1) & 0x007f'ffff'ffff'ffff) | 0x1280'0000'0000'0000ULL);
  record(kStack + 0x1100, kStack + 0x3ee0, in(2));
  record(kStack + 0x3fe0 - 0x100, 0, 0);
  const Walk w = walk();
  ASSERT_EQ(w.frames.size(), 3U);
  EXPECT_EQ(w.frames[1].pc.value, in(1));
  EXPECT_EQ(w.frames[1].found_by, FoundBy::frame);
  EXPECT_FALSE(w.frames[1].exact);
  EXPECT_EQ(w.frames[1].sp, GuestVirt(kStack + 0x1020)) << "from the function's own frame size";
  EXPECT_EQ(w.frames[2].pc.value, in(2));
  EXPECT_FALSE(w.frames[2].sp);
  EXPECT_EQ(w.end.reason, EndReason::end_of_stack);
}

TEST_F(Arm64Unwind, ALeafReturnsThroughX30) {
  function(7, {kNop, kNop, 0xd65f'03c0});
  context_.pc(kText + 0x704).x(30, in(0)).x(29, kStack + 0x1000).sp_el1(kStack + 0xff0);
  record(kStack + 0x1000, kStack + 0x3ee0, in(1));
  const Walk w = walk();
  ASSERT_GE(w.frames.size(), 3U);
  EXPECT_EQ(w.frames[1].pc.value, in(0));
  EXPECT_EQ(w.frames[1].found_by, FoundBy::link_register);
  EXPECT_EQ(w.frames[1].sp, GuestVirt(kStack + 0xff0));
  EXPECT_EQ(w.frames[2].pc.value, in(1));
}

TEST_F(Arm64Unwind, CodeWithANameIsNoTrampolineThoughItSetsTtbr1) {
  function(7, {kNop, 0xd518'2021, 0xd65f'03c0});  // msr ttbr1_el1, x1
  code_.knows_extent = false;
  context_.pc(kText + 0x704).spsr_el1(0).x(30, in(0)).x(29, kStack + 0x1000).sp_el1(kStack + 0xff0);
  record(kStack + 0x1000, 0, in(1));
  const Walk w = walk();
  ASSERT_EQ(w.frames.size(), 3U);
  EXPECT_EQ(w.frames[2].pc.value, in(1));
  EXPECT_EQ(w.end.reason, EndReason::end_of_stack);
}

TEST_F(Arm64Unwind, AStaleX30IsNotACaller) {
  context_.pc(in(0)).x(30, in(5)).x(29, kStack + 0x1000).sp_el1(kStack + 0x1000);
  record(kStack + 0x1000, kStack + 0x3ee0, in(1));
  const Walk w = walk();
  ASSERT_GE(w.frames.size(), 2U);
  EXPECT_EQ(w.frames[1].pc.value, in(1));
}

TEST_F(Arm64Unwind, BetweenPushAndNewFramePointer) {
  context_.pc(kText + 4).x(30, in(5)).x(29, kStack + 0x1100).sp_el1(kStack + 0x1000);
  record(kStack + 0x1000, kStack + 0x1100, in(1));
  record(kStack + 0x1100, kStack + 0x3ee0, in(2));
  const Walk w = walk();
  ASSERT_GE(w.frames.size(), 3U);
  EXPECT_EQ(w.frames[1].pc.value, in(1));
  EXPECT_EQ(w.frames[2].pc.value, in(2));
}

TEST_F(Arm64Unwind, AJumpToNullCameFromX30) {
  context_.pc(0).x(30, in(0)).x(29, kStack + 0x1000).sp_el1(kStack + 0x1000);
  record(kStack + 0x1000, kStack + 0x3ee0, in(1));
  const Walk w = walk();
  ASSERT_GE(w.frames.size(), 3U);
  EXPECT_EQ(w.frames[1].pc.value, in(0));
  EXPECT_EQ(w.frames[1].found_by, FoundBy::link_register);
  EXPECT_EQ(w.frames[2].pc.value, in(1));
}

TEST_F(Arm64Unwind, CrossesAnExceptionOf415To612) {
  // f0 on the IRQ stack <- f1 (switched) <- el1h_64_irq <- f2, interrupted before its prologue <- f3
  const std::uint64_t regs = kStack + 0x1000;
  context_.pc(in(0)).x(29, kIrqStack + 0x3f00).sp_el1(kIrqStack + 0x3f00);
  record(kIrqStack + 0x3f00, kStack + 0xf00, in(1));
  record(kStack + 0xf00, regs + 304, kEntryText + 0x44);
  record(regs + 304, kStack + 0x1400, kText + 0x200);
  pt_regs(regs, kStack + 0x1400, regs + 336, kText + 0x200, 0x6000'0005);
  memory_.put(GuestVirt(regs + 240), in(3));  // x30
  record(kStack + 0x1400, kStack + 0x3eb0 + 304, in(4));
  record(kStack + 0x3eb0 + 304, 0, 0);
  pt_regs(kStack + 0x3eb0, 0, 0xffff'f000, 0x41'2340, 0x6000'1000);
  const Walk w = walk();
  ASSERT_EQ(w.frames.size(), 6U);
  EXPECT_EQ(w.frames[0].stack, "irq");
  EXPECT_FALSE(w.frames[1].stack);
  EXPECT_EQ(w.frames[3].pc.value, kText + 0x200);
  EXPECT_TRUE(w.frames[3].exact);
  EXPECT_EQ(w.frames[3].found_by, FoundBy::exception);
  EXPECT_EQ(w.frames[3].sp, GuestVirt(regs + 336));
  EXPECT_EQ(w.frames[4].pc.value, in(3)) << "x30 is live there";
  EXPECT_EQ(w.frames[5].pc.value, in(4));
  EXPECT_EQ(w.end.reason, EndReason::user_mode);
  ASSERT_TRUE(w.end.user);
  EXPECT_EQ(w.end.user->pc.value, 0x41'2340U);
  EXPECT_EQ(w.end.user->sp, GuestVirt(0xffff'f000));
}

TEST_F(Arm64Unwind, CrossesAnExceptionOf613) {
  const std::uint64_t regs = kStack + 0x1000;
  context_.pc(in(0)).x(29, kStack + 0xf00).sp_el1(kStack + 0xf00);
  record(kStack + 0xf00, regs + 296, kEntryText + 0x44);
  record(regs + 296, 0, 0);
  memory_.put(GuestVirt(regs + 312), std::uint64_t{2});
  pt_regs(regs, kStack + 0x1400, regs + 320, in(2), 0x6000'0005);
  record(kStack + 0x1400, kStack + 0x3ee8, in(4));
  record(kStack + 0x3ee8, 0, 0);
  memory_.put(GuestVirt(kStack + 0x3ef8), std::uint64_t{1});
  const Walk w = walk();
  ASSERT_EQ(w.frames.size(), 4U);
  EXPECT_EQ(w.frames[2].pc.value, in(2));
  EXPECT_TRUE(w.frames[2].exact);
  EXPECT_EQ(w.frames[3].pc.value, in(4));
  EXPECT_EQ(w.end.reason, EndReason::end_of_stack) << "zeroes of a kernel thread are no user context";
}

TEST_F(Arm64Unwind, CrossesAnExceptionOf414) {
  const std::uint64_t regs = kStack + 0x1000;
  code_.add(kEntryText, 0x100, "el1_da");
  context_.pc(in(0)).x(29, kStack + 0xf00).sp_el1(kStack + 0xf00);
  record(kStack + 0xf00, kStack + 0x1400, kEntryText + 0x44);
  pt_regs(regs, kStack + 0x1400, regs + 288, in(2), 0x6000'0005);
  record(kStack + 0x1400, 0, in(4));
  const Walk w = walk();
  ASSERT_EQ(w.frames.size(), 4U);
  EXPECT_EQ(w.frames[2].pc.value, in(2));
  EXPECT_TRUE(w.frames[2].exact);
  EXPECT_EQ(w.frames[3].pc.value, in(4));
}

TEST_F(Arm64Unwind, InTheEntryCodeTheInterruptedPcIsElr) {
  context_.pc(kEntryText + 8).x(29, kStack + 0x1400).x(30, in(5)).sp_el1(kStack + 0x1000);
  context_.elr_el1(in(2)).spsr_el1(0x6000'0005);
  memory_.put(GuestVirt(kEntryText + 4), std::uint32_t{0x9105'03f5});  // add x21, sp, #320
  record(kStack + 0x1400, kStack + 0x3ee0, in(4));
  const Walk w = walk();
  ASSERT_GE(w.frames.size(), 3U);
  EXPECT_EQ(w.frames[1].pc.value, in(2));
  EXPECT_TRUE(w.frames[1].exact);
  EXPECT_EQ(w.frames[1].found_by, FoundBy::exception);
  EXPECT_EQ(w.frames[1].sp, GuestVirt(kStack + 0x1140));
  EXPECT_EQ(w.frames[2].pc.value, in(4));
  context_.spsr_el1(0).elr_el1(0x40'0000).sp_el0(0x7000);
  const Walk user = walk();
  EXPECT_EQ(user.frames.size(), 1U);
  EXPECT_EQ(user.end.reason, EndReason::user_mode);
  EXPECT_EQ(user.end.user->pc.value, 0x40'0000U);
}

TEST_F(Arm64Unwind, UserModeEndsAtOnce) {
  context_.pc(0x40'0000).cpsr(0).sp_el0(0x7000);
  const Walk w = walk();
  EXPECT_EQ(w.frames.size(), 1U);
  EXPECT_EQ(w.end.reason, EndReason::user_mode);
  EXPECT_EQ(w.end.user->sp, GuestVirt(0x7000));
}

TEST_F(Arm64Unwind, CirclesEnd) {
  context_.pc(in(0)).x(29, kStack + 0x1000).sp_el1(kStack + 0x1000);
  record(kStack + 0x1000, kIrqStack + 0x1000, in(1));
  record(kIrqStack + 0x1000, kStack + 0x1000, in(1));
  EXPECT_EQ(walk().end.reason, EndReason::no_progress);
  record(kStack + 0x1000, kStack + 0x1000, in(1));
  EXPECT_EQ(walk().end.reason, EndReason::no_progress);
}

TEST_F(Arm64Unwind, ABrokenChainIsScannedAndMarked) {
  context_.pc(in(0)).x(29, 0x1234).sp_el1(kStack + 0x3f00);
  memory_.put(GuestVirt(kStack + 0x3f10), std::uint64_t{kText + 0x304});  // code, but behind no call
  memory_.put(GuestVirt(kStack + 0x3f20), in(2));
  EXPECT_EQ(walk().end.reason, EndReason::bad_unwind_info);
  EXPECT_EQ(walk().frames.size(), 1U);
  scan_ = true;
  const Walk w = walk();
  ASSERT_EQ(w.frames.size(), 2U);
  EXPECT_EQ(w.frames[1].pc.value, in(2));
  EXPECT_EQ(w.frames[1].found_by, FoundBy::scan);
}

TEST_F(Arm64Unwind, TheTrampolineLeadsToUserMode) {
  constexpr std::uint64_t kAlias = 0xffff'fbff'fdbf'7000;
  for (std::uint64_t at = 0; at < 4096; at += 4) {
    memory_.put(GuestVirt(kAlias + at), kNop);
  }
  context_.pc(kAlias + 0xc80).x(29, 0x7ff0).x(13, 0x6000).sp_el1(kStack + 0x4000);
  context_.spsr_el1(0).elr_el1(0x40'0000).sp_el0(0x7000);
  EXPECT_EQ(walk().end.reason, EndReason::bad_unwind_info) << "code outside the kernel alone is not it";
  memory_.put(GuestVirt(kAlias + 0x600), std::uint32_t{0xd518'203e});  // msr ttbr1_el1, x30
  Walk w = walk();
  EXPECT_EQ(w.frames.size(), 1U);
  EXPECT_EQ(w.end.reason, EndReason::user_mode);
  ASSERT_TRUE(w.end.user);
  EXPECT_EQ(w.end.user->pc, GuestVirt(0x40'0000));
  EXPECT_EQ(w.end.user->sp, GuestVirt(0x7000));
  context_.spsr_el1(0x10);
  w = walk();
  ASSERT_TRUE(w.end.user);
  EXPECT_EQ(w.end.user->sp, GuestVirt(0x6000)) << "AArch32 user code has its stack pointer in x13";
  context_.spsr_el1(5);
  EXPECT_EQ(walk().end.reason, EndReason::bad_unwind_info);
}

TEST_F(Arm64Unwind, AReturnAddressOutsideCodeEnds) {
  context_.pc(in(0)).x(29, kStack + 0x1000).sp_el1(kStack + 0x1000);
  record(kStack + 0x1000, kStack + 0x1100, 0xffff'8000'0b00'0000);
  EXPECT_EQ(walk().end.reason, EndReason::not_code);
}

}  // namespace
}  // namespace xstack
