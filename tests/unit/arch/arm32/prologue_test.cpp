// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/prologue.h"

#include <gtest/gtest.h>

#include "arch/arm32/registers.h"
#include "tests/unit/arch/arm32/fake_code.h"

namespace xstack {
namespace {

using namespace arm32;
using test::FakeVirt;
using test::put_words;

constexpr std::uint64_t kStart = 0xc0100000;

std::optional<FrameShape> after(std::initializer_list<std::uint32_t> code) {
  FakeVirt memory;
  put_words(memory, kStart, code);
  return shape_at(memory, GuestVirt(kStart), GuestVirt(kStart + code.size() * 4));
}

TEST(Prologue, FirstInstruction) {
  FakeVirt memory;
  const auto shape = shape_at(memory, GuestVirt(kStart), GuestVirt(kStart));
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->sp, 0);
  EXPECT_FALSE(shape->saved[kLr]);
  EXPECT_FALSE(shape->lr_lost);
}

TEST(Prologue, PushesAndRoomForLocals) {
  const auto shape = after({0xe92d4070, 0xe24dd018});  // push {r4-r6, lr}; sub sp, sp, #24
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->sp, 40);
  EXPECT_EQ(shape->saved[kLr], 4);
  EXPECT_EQ(shape->saved[4], 16);
  EXPECT_EQ(after({0xe52de004})->saved[kLr], 4);           // str lr, [sp, #-4]!
  EXPECT_EQ(after({0xe16d42f8})->saved[5], 36);            // strd r4, [sp, #-40]!: r5 is 4 above r4
  EXPECT_EQ(after({0xe92d4010, 0xed2d8b04})->sp, 8 + 16);  // push {r4, lr}; vpush {d8-d9}
}

TEST(Prologue, TheTracersCallPopsWhatWasPushedForIt) {
  for (const std::uint32_t insn : {0xeb000100U /* bl __gnu_mcount_nc */, 0xe8bd4000U /* pop {lr}: patched out */}) {
    const auto shape = after({0xe1a0c00d, 0xe92dd800, 0xe24cb004, 0xe52de004, insn});
    ASSERT_TRUE(shape);
    EXPECT_EQ(shape->sp, 16) << std::hex << insn;
    EXPECT_EQ(shape->fp, 4);
  }
}

TEST(Prologue, EpiloguesGiveRegistersBack) {
  const auto shape = after({0xe92d4010, 0xe24dd008, 0xe28dd008, 0xe8bd4010});  // ..; add sp, #8; pop {r4, lr}
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->sp, 0);
  EXPECT_FALSE(shape->saved[kLr]);
  EXPECT_FALSE(shape->saved[4]);
  EXPECT_FALSE(shape->lr_lost);
}

TEST(Prologue, BranchesCarryTheirStateAcross) {
  // beq L; push {r4, lr}; pop {r4, pc}; L: (still a leaf)
  const auto leaf = after({0x0a000001, 0xe92d4010, 0xe8bd8010});
  ASSERT_TRUE(leaf);
  EXPECT_EQ(leaf->sp, 0);
  // push {r4, lr}; b L; nothing falls through here; L:
  EXPECT_EQ(after({0xe92d4010, 0xea000000, 0xe7f001f2})->sp, 8);
  // After an unconditional return that no branch crosses there is nothing to know.
  EXPECT_FALSE(after({0xe12fff1e, 0xe1a00000}));
  // A conditional return does not touch what follows it.
  EXPECT_EQ(after({0xe92d4010, 0x08bd8010})->sp, 8);
}

TEST(Prologue, WhatCannotBeFollowed) {
  EXPECT_FALSE(after({0x192d4010})->sp) << "a conditional push";
  EXPECT_FALSE(after({0xe04dd003})->sp) << "sub sp, sp, r3";
  EXPECT_TRUE(after({0xeb000100})->lr_lost) << "a call with LR not saved";
  EXPECT_FALSE(after({0xe92d4010, 0xeb000100})->lr_lost);
  FakeVirt memory;
  EXPECT_FALSE(shape_at(memory, GuestVirt(kStart), GuestVirt(kStart + 8))) << "code that cannot be read";
  EXPECT_FALSE(shape_at(memory, GuestVirt(kStart), GuestVirt(kStart - 4)));
  EXPECT_FALSE(shape_at(memory, GuestVirt(kStart), GuestVirt(kStart + 0x1000000)));
}

TEST(Prologue, CallerFromTheFramePointerWhenSpIsNotKnown) {
  FakeVirt memory;
  put_words(memory, 0xd0001ff0, {0xd0001f00, 0xd0002000, 0xc0123458, 0xc010000c});  // fp, sp, lr, pc
  const auto shape = after({0xe1a0c00d, 0xe92dd800, 0xe24cb004, 0xe04dd003});       // .. sub sp, sp, r3
  ASSERT_TRUE(shape);
  RegisterFile callee;
  callee.set(kSp, 0xd0001000);
  callee.set(kFp, 0xd0001ffc);
  const auto caller = caller_by_shape(memory, *shape, callee);
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->get(kSp), 0xd0002000U);
  EXPECT_EQ(caller->get(kPc), 0xc0123458U);
  EXPECT_EQ(caller->get(kFp), 0xd0001f00U);
}

}  // namespace
}  // namespace xstack
