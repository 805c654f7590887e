// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/ehabi.h"

#include <gtest/gtest.h>

#include <vector>

#include "arch/arm32/registers.h"
#include "tests/unit/arch/arm32/fake_code.h"

namespace xstack {
namespace {

using namespace arm32;
using test::FakeVirt;
using test::put_words;

constexpr std::uint64_t kStack = 0xd0001000;

/// Runs opcode bytes on sp = kStack, r4 = 4, r11 = kStack + 0x40, lr = 0xe0; word n of the stack is 0x1000 + n.
tl::expected<EhabiResult, EhabiFailure> run(const std::vector<unsigned>& bytes,
                                            std::optional<std::uint32_t> lr = 0xe0) {
  FakeVirt memory;
  for (std::uint32_t i = 0; i < 0x400; ++i) {
    memory.put<std::uint32_t>(GuestVirt(kStack + i * 4), 0x1000 + i);
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    memory.put<std::uint8_t>(GuestVirt(0x8000 + i / 4 * 4 + 3 - i % 4), static_cast<std::uint8_t>(bytes[i]));
  }
  RegisterFile regs;
  regs.set(kSp, kStack);
  regs.set(kR4, 4);
  regs.set(kFp, kStack + 0x40);
  if (lr) {
    regs.set(kLr, *lr);
  }
  return execute_ehabi(memory, EhabiOpcodes{GuestVirt(0x8000), 0, static_cast<unsigned>(bytes.size())}, regs);
}

TEST(EhabiOpcodes, StackMovement) {
  struct Case {
    std::vector<unsigned> bytes;
    std::int64_t moved;
  };
  for (const Case& c : std::vector<Case>{{{0xb0}, 0},
                                         {{0x00}, 4},
                                         {{0x3f}, 0x100},
                                         {{0x01, 0x40}, 4},
                                         {{0xb2, 0x00}, 0x204},
                                         {{0xb2, 0x81, 0x01}, 0x204 + (0x81 << 2)},
                                         {{0xb3, 0x81}, 8 * 2 + 4},
                                         {{0xb4}, 4},
                                         {{0xb5}, 0},
                                         {{0xb9}, 8 * 2 + 4},
                                         {{0xc1}, 8 * 2},
                                         {{0xc6, 0x02}, 8 * 3},
                                         {{0xc7, 0x05}, 8},
                                         {{0xc8, 0x01}, 8 * 2},
                                         {{0xc9, 0x83}, 8 * 4},
                                         {{0xd2}, 8 * 3},
                                         {{0x9b}, 0x40}}) {
    const auto result = run(c.bytes);
    ASSERT_TRUE(result) << std::hex << c.bytes[0];
    EXPECT_EQ(result->regs.get(kSp), kStack + static_cast<std::uint64_t>(c.moved)) << std::hex << c.bytes[0];
    EXPECT_EQ(result->regs.get(kPc), 0xe0U);
    EXPECT_FALSE(result->popped_pc);
  }
}

TEST(EhabiOpcodes, Pops) {
  const auto some = run({0x84, 0x81});  // r4, r11, lr
  ASSERT_TRUE(some);
  EXPECT_EQ(some->regs.get(kR4), 0x1000U);
  EXPECT_EQ(some->regs.get(kFp), 0x1001U);
  EXPECT_EQ(some->regs.get(kPc), 0x1002U);
  EXPECT_FALSE(some->regs.known(kLr)) << "lost by the call that returns";
  const auto range = run({0xaa});  // r4..r6, lr
  EXPECT_EQ(range->regs.get(6), 0x1002U);
  EXPECT_EQ(range->regs.get(kPc), 0x1003U);
  EXPECT_FALSE(range->regs.known(7));
  const auto without_lr = run({0xa1});
  EXPECT_EQ(without_lr->regs.get(5), 0x1001U);
  EXPECT_EQ(without_lr->regs.get(kPc), 0xe0U);
}

TEST(EhabiOpcodes, AWholeRegisterSetIsAnInterruptedContext) {
  const auto all = run({0xb1, 0x0f, 0x8f, 0xff, 0xb0});
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->popped_pc);
  EXPECT_TRUE(all->moved_sp);
  EXPECT_EQ(all->regs.get(kR0), 0x1000U);
  EXPECT_EQ(all->regs.get(kSp), 0x100dU) << "the popped one, not where popping ended";
  EXPECT_EQ(all->regs.get(kLr), 0x100eU);
  EXPECT_EQ(all->regs.get(kPc), 0x100fU);
}

TEST(EhabiOpcodes, WhatIsSpareOrCutShortIsRefused) {
  for (const std::vector<unsigned>& bytes : std::vector<std::vector<unsigned>>{{0x80, 0x00},
                                                                               {0x84},
                                                                               {0x9d},
                                                                               {0x9f},
                                                                               {0x95},
                                                                               {0xb1, 0x00},
                                                                               {0xb1, 0x10},
                                                                               {0xb2},
                                                                               {0xb2, 0xff, 0xff, 0xff, 0xff, 0xff},
                                                                               {0xb6},
                                                                               {0xb7},
                                                                               {0xc7, 0x00},
                                                                               {0xca},
                                                                               {0xd8},
                                                                               {0xff}}) {
    const auto result = run(bytes);
    ASSERT_FALSE(result) << std::hex << bytes[0];
    EXPECT_EQ(result.error().kind, EhabiFailure::Kind::bad_table) << std::hex << bytes[0];
  }
  EXPECT_FALSE(run({0xb0}, std::nullopt)) << "no return address anywhere";
}

/// An index of three entries for code at 0xc0100000.
struct Index {
  FakeVirt memory;
  UnwindTables tables;
  Index() {
    entry(0, 0xc0100000, 0x80a8b0b0);
    entry(1, 0xc0100100, 1);
    const std::uint64_t tab = 0xc0300000;
    entry(2, 0xc0100200, static_cast<std::uint32_t>(tab - (0xc0200000 + 2 * 8 + 4)));
    put_words(memory, tab, {0x8101b2ff, 0x01b0b0b0});
    tables.ehabi.push_back({GuestVirt(0xc0200000), 3, GuestVirt(0xc0100000), GuestVirt(0xc0200000), {}});
  }
  void entry(std::uint64_t n, std::uint64_t start, std::uint32_t second) {
    const std::uint64_t at = 0xc0200000 + n * 8;
    put_words(memory, at, {static_cast<std::uint32_t>(start - at) & 0x7fffffff, second});
  }
  auto find(std::uint64_t pc) { return find_ehabi_entry(memory, tables, GuestVirt(pc)); }
};

TEST(EhabiIndex, FindsTheEntryBelow) {
  Index index;
  EXPECT_EQ(index.find(0xc0100000)->start, GuestVirt(0xc0100000));
  EXPECT_EQ(index.find(0xc01000ff)->start, GuestVirt(0xc0100000));
  EXPECT_TRUE(std::holds_alternative<CantUnwind>(index.find(0xc0100100)->what));
  const auto last = index.find(0xc01fffff);
  ASSERT_TRUE(last);
  const auto& opcodes = std::get<EhabiOpcodes>(last->what);
  EXPECT_EQ(opcodes.words, GuestVirt(0xc0300000));
  EXPECT_EQ(opcodes.skip, 2U);
  EXPECT_EQ(opcodes.count, 6U);
  EXPECT_EQ(index.find(0xc0200000).error().kind, EhabiFailure::Kind::not_covered);
  EXPECT_EQ(index.find(0xbf000000).error().kind, EhabiFailure::Kind::not_covered);
}

TEST(EhabiIndex, ForeignPersonalitiesAndAbsentMemory) {
  Index index;
  index.entry(0, 0xc0100000, 0x81000000);  // a table form in the index
  EXPECT_EQ(index.find(0xc0100000).error().kind, EhabiFailure::Kind::bad_table);
  put_words(index.memory, 0xc0300000, {0x00001234});
  EXPECT_EQ(index.find(0xc0100200).error().kind, EhabiFailure::Kind::bad_table);
  index.tables.ehabi[0].index = GuestVirt(0xc0700000);
  EXPECT_EQ(index.find(0xc0100200).error().kind, EhabiFailure::Kind::unreadable);
}

TEST(EhabiIndex, ALyingCountIsBounded) {
  Index index;
  index.tables.ehabi[0].count = 0xffffffff;
  index.memory.reads = 0;
  (void)index.find(0xc0100200);
  EXPECT_LE(index.memory.reads, 40U);
}

}  // namespace
}  // namespace xstack
