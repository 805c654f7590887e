// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/orc.h"

#include <gtest/gtest.h>

#include <set>

#include "arch/x86/registers.h"
#include "arch/x86/step.h"
#include "arch/x86/x86.h"
#include "tests/support/fake_memory.h"
#include "unwind/walker.h"

namespace xstack::x86 {
namespace {

constexpr std::uint64_t kText = 0xffffffff81000000;
constexpr std::uint64_t kIp = 0xffffffff82000000;
constexpr std::uint64_t kEntries = 0xffffffff82100000;
constexpr std::uint64_t kStack = 0xffffc90000003000;

/// Code without symbols: everything in one range.
class Code final : public CodeInfo {
 public:
  std::optional<CodeSymbol> function_at(GuestVirt) override { return std::nullopt; }
  std::optional<bool> is_code(GuestVirt at) override { return at.value >= kText && at.value < kText + 0x100000; }
  std::optional<GuestVirt> address_of(std::string_view) override { return std::nullopt; }
};

struct Fixture {
  test::FakeVirt memory;
  Code code;
  UnwindTables tables;
  CpuState cpu;

  Fixture() {
    cpu.arch = &x86_64_ops();
    memory.touch(GuestVirt(kStack));
  }

  void table(std::initializer_list<std::tuple<std::uint64_t, std::int16_t, std::int16_t, std::uint16_t>> entries) {
    std::uint32_t i = 0;
    for (const auto& [ip, sp, bp, flags] : entries) {
      const std::uint64_t at = kIp + i * 4;
      memory.put<std::uint32_t>(GuestVirt(at), static_cast<std::uint32_t>(ip - at));
      memory.put<std::int16_t>(GuestVirt(kEntries + i * 6), sp);
      memory.put<std::int16_t>(GuestVirt(kEntries + i * 6 + 2), bp);
      memory.put<std::uint16_t>(GuestVirt(kEntries + i * 6 + 4), flags);
      ++i;
    }
    tables.orc.push_back(
        OrcTable{GuestVirt(kIp), GuestVirt(kEntries), i, GuestVirt(kText), GuestVirt(kText + 0x100000), {}});
  }

  void start(std::uint64_t rip, std::uint64_t rsp, std::uint64_t rbp = 0) {
    cpu.regs.set(kRip, rip);
    cpu.regs.set(kRsp, rsp);
    cpu.regs.set(kRbp, rbp);
  }

  void word(std::uint64_t offset, std::uint64_t value) { memory.put<std::uint64_t>(GuestVirt(kStack + offset), value); }

  Walk walk(bool scan = false) {
    StepContext context{cpu, memory, code, tables, scan};
    return walk_stack(context);
  }
};

OrcEntry decode(std::uint16_t flags, OrcLayout layout) {
  const std::array<std::byte, 6> bytes = {
      std::byte{16}, std::byte{0}, std::byte{0xf0}, std::byte{0xff}, std::byte(flags & 0xff), std::byte(flags >> 8)};
  const auto entry = decode_orc(bytes, layout);
  EXPECT_TRUE(entry);
  return entry.value_or(OrcEntry{});
}

using Types = OrcLayout::Types;
using Registers = OrcLayout::Registers;

TEST(OrcDecode, EveryLayout) {
  const OrcLayout oldest{Types::call0_end_bit10, Registers::sp5};
  EXPECT_EQ(decode(0x005, oldest).kind, OrcKind::call);
  EXPECT_EQ(decode(0x005, oldest).sp_base, OrcBase::sp);
  EXPECT_EQ(decode(0x005, oldest).sp_offset, 16);
  EXPECT_EQ(decode(0x015, oldest).bp_base, OrcBase::prev_sp);
  EXPECT_EQ(decode(0x015, oldest).bp_offset, -16);
  EXPECT_EQ(decode(0x105, oldest).kind, OrcKind::regs);
  EXPECT_TRUE(decode(0x105, oldest).signal);
  EXPECT_EQ(decode(0x205, oldest).kind, OrcKind::regs_partial);
  EXPECT_EQ(decode(0x400, oldest).kind, OrcKind::end);
  EXPECT_EQ(decode(0x000, oldest).kind, OrcKind::undefined);
  EXPECT_EQ(decode(0x000, OrcLayout{Types::call0_end_bit10, Registers::sp5, false, true}).kind, OrcKind::end);

  const OrcLayout middle{Types::call0_signal10_end11, Registers::sp5};
  EXPECT_EQ(decode(0x800, middle).kind, OrcKind::end);
  EXPECT_FALSE(decode(0x105, middle).signal);
  EXPECT_TRUE(decode(0x505, middle).signal);

  const OrcLayout later{Types::call2_type3_signal11, Registers::sp5};
  EXPECT_EQ(decode(0x205, later).kind, OrcKind::call);
  EXPECT_EQ(decode(0x100, later).kind, OrcKind::end);
  EXPECT_EQ(decode(0xb05, later).kind, OrcKind::regs);
  EXPECT_TRUE(decode(0xb05, later).signal);

  const OrcLayout newest{Types::call2_type3_signal11, Registers::sp3};
  EXPECT_EQ(decode(0x283, newest).sp_base, OrcBase::sp);
  EXPECT_EQ(decode(0x283, newest).bp_base, OrcBase::prev_sp);
  EXPECT_EQ(decode(0x209, newest).sp_base, OrcBase::sp_indirect);
  EXPECT_EQ(decode(0x20a, newest).sp_base, OrcBase::bp_indirect);
}

TEST(OrcDecode, CodesWithoutMeaning) {
  const std::array<std::byte, 6> bytes = {std::byte{0}, std::byte{0},    std::byte{0},
                                          std::byte{0}, std::byte{0x0a}, std::byte{0}};
  EXPECT_FALSE(decode_orc(bytes, OrcLayout{Types::call0_end_bit10, Registers::sp5}));
  EXPECT_TRUE(decode_orc(bytes, OrcLayout{Types::call2_type3_signal11, Registers::sp3}));
}

TEST(OrcWalk, CallsRegistersAndUserMode) {
  Fixture f;
  f.table({{kText, 8, 0, 0x005},
           {kText + 0x10, 24, -16, 0x015},   // rbp saved at caller's sp - 16
           {kText + 0x100, 0, 0, 0x105},     // pt_regs at sp
           {kText + 0x200, 16, 0, 0x004}});  // by rbp
  f.start(kText + 0x4, kStack + 0x100);
  f.word(0x100, kText + 0x20);    // returns into the second
  f.word(0x110, kStack + 0x500);  // its saved rbp: sp is 0x108, the caller's sp 0x120
  f.word(0x118, kText + 0x110);
  f.word(0x120 + 32, kStack + 0x400);  // pt_regs.bp
  f.word(0x120 + 128, kText + 0x200);  // pt_regs.ip: interrupted at the first byte
  f.word(0x120 + 136, 0x10);
  f.word(0x120 + 144, 0x246);
  f.word(0x120 + 152, kStack + 0x300);
  f.word(0x120 + 160, 0x18);
  f.word(0x408, kText + 0x110);  // return address by rbp: caller's sp 0x410
  f.word(0x410 + 128, 0x47b7a0);
  f.word(0x410 + 136, 0x33);
  f.word(0x410 + 144, 0x202);
  f.word(0x410 + 152, 0x7ffe1000);
  const Walk walk = f.walk();
  ASSERT_EQ(walk.frames.size(), 5U);
  EXPECT_EQ(walk.frames[1].pc.value, kText + 0x20);
  EXPECT_EQ(walk.frames[2].sp->value, kStack + 0x120);
  EXPECT_EQ(walk.frames[2].regs.get(kRbp), kStack + 0x500);
  EXPECT_EQ(walk.frames[3].found_by, FoundBy::exception);
  EXPECT_TRUE(walk.frames[3].exact);
  EXPECT_EQ(walk.frames[4].pc.value, kText + 0x110);
  EXPECT_EQ(walk.end.reason, EndReason::user_mode);
  ASSERT_TRUE(walk.end.user);
  EXPECT_EQ(walk.end.user->pc.value, 0x47b7a0U);
  EXPECT_EQ(walk.end.user->sp->value, 0x7ffe1000U);
}

TEST(OrcWalk, IndirectOffsetBeforeOrAfter) {
  // A call since 5.12: [sp] + 32. Registers before: [sp + 8].
  Fixture call;
  call.table({{kText, 32, 0, 0x009}, {kText + 0x100, 0, 0, 0x400}});
  call.start(kText, kStack + 0x100);
  call.word(0x100, kStack + 0x800);
  call.word(0x818, kText + 0x110);
  EXPECT_EQ(call.walk().frames.at(1).sp->value, kStack + 0x820);
  Fixture regs;
  regs.table({{kText, 8, 0, 0x109}, {kText + 0x100, 0, 0, 0x400}});
  regs.start(kText, kStack + 0x100);
  regs.word(0x108, kStack + 0x800);
  regs.word(0x800 + 128, kText + 0x110);
  regs.word(0x800 + 136, 0x10);
  regs.word(0x800 + 144, 0x202);
  regs.word(0x800 + 152, kStack + 0x900);
  EXPECT_EQ(regs.walk().frames.at(1).pc.value, kText + 0x110);
}

TEST(OrcWalk, RealignedStackNeedsItsRegister) {
  Fixture f;
  f.table({{kText, 0, 0, 0x006}, {kText + 0x100, 0, 0, 0x400}});  // base r10
  f.start(kText, kStack + 0x100);
  EXPECT_EQ(f.walk().end.reason, EndReason::no_unwind_info);
  f.cpu.regs.set(kR10, kStack + 0x200);
  f.word(0x1f8, kText + 0x110);
  EXPECT_EQ(f.walk().frames.at(1).sp->value, kStack + 0x200);
}

TEST(OrcWalk, CirclesAndLiesEnd) {
  Fixture circle;  // by rbp, and rbp says itself
  circle.table({{kText, 16, -16, 0x014}});
  circle.start(kText + 4, kStack, kStack + 0x100);
  circle.word(0x100, kStack + 0x100);
  circle.word(0x108, kText + 8);
  EXPECT_EQ(circle.walk().end.reason, EndReason::no_progress);
  Fixture down;  // a caller below its callee
  down.table({{kText, -8, 0, 0x005}});
  down.start(kText, kStack + 0x100);
  EXPECT_EQ(down.walk().end.reason, EndReason::bad_unwind_info);
  Fixture data;  // a return address that is no code
  data.table({{kText, 8, 0, 0x005}});
  data.start(kText, kStack + 0x100);
  data.word(0x100, 0x1234);
  EXPECT_EQ(data.walk().end.reason, EndReason::not_code);
  Fixture huge;  // a count that reaches beyond memory
  huge.table({{kText, 8, 0, 0x005}});
  huge.tables.orc[0].count = 0xffffffff;
  huge.start(kText, kStack + 0x100);
  EXPECT_EQ(huge.walk().end.reason, EndReason::unreadable);
}

TEST(OrcWalk, ScanIsMarkedAndSoIsWhatFollows) {
  Fixture f;
  f.table({{kText, 0, 0, 0x000}, {kText + 0x100, 8, 0, 0x005}, {kText + 0x200, 0, 0, 0x400}});
  f.start(kText, kStack + 0x100);
  f.word(0x100, kText + 0x108);  // no call before it
  f.word(0x108, kText + 0x120);
  f.memory.put<std::uint8_t>(GuestVirt(kText + 0x11e), 0xff);  // call *%rax
  f.memory.put<std::uint8_t>(GuestVirt(kText + 0x11f), 0xd0);
  f.word(0x110, kText + 0x210);
  const Walk walk = f.walk(true);
  ASSERT_EQ(walk.frames.size(), 3U);
  EXPECT_EQ(walk.frames[1].pc.value, kText + 0x120);
  EXPECT_EQ(walk.frames[1].found_by, FoundBy::scan);
  EXPECT_EQ(walk.frames[2].found_by, FoundBy::scan) << "derived from a guess";
  EXPECT_EQ(f.walk(false).frames.size(), 1U);
}

/// Counts the pages that are read through it.
class PagesRead final : public VirtMemory {
 public:
  explicit PagesRead(VirtMemory& below) : below_(below) {}
  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestVirt at, std::span<std::byte> out) override {
    pages_.insert(at.value / kXenPageSize);
    return below_.read_some(at, out);
  }
  [[nodiscard]] std::size_t count() const { return pages_.size(); }

 private:
  VirtMemory& below_;
  std::set<std::uint64_t> pages_;
};

TEST(OrcLookup, FindsTheRightmostEntryInFewReads) {
  test::FakeVirt memory;
  constexpr std::uint32_t kCount = 100000;
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const std::uint64_t at = kIp + std::uint64_t{i} * 4;
    memory.put<std::uint32_t>(GuestVirt(at), static_cast<std::uint32_t>(kText + std::uint64_t{i} * 16 - at));
    memory.put<std::uint32_t>(GuestVirt(kEntries + std::uint64_t{i} * 6), i);
  }
  const OrcTable table{GuestVirt(kIp), GuestVirt(kEntries), kCount, GuestVirt(kText), GuestVirt(kIp), {}};
  for (const std::uint32_t i : {0U, 1U, 4711U, kCount - 2, kCount - 1}) {
    memory.reads = 0;
    const auto hit = lookup_orc(memory, table, GuestVirt(kText + std::uint64_t{i} * 16 + 15));
    ASSERT_TRUE(hit && *hit);
    EXPECT_EQ((*hit)->begin.value, kText + std::uint64_t{i} * 16);
    EXPECT_LE(memory.reads, 12U);
  }
  const auto below = lookup_orc(memory, table, GuestVirt(kText - 1));
  ASSERT_TRUE(below);
  EXPECT_FALSE(*below);
}

TEST(OrcLookup, SamplesLeadToTheSameEntryInTwoPages) {
  test::FakeVirt memory;
  constexpr std::uint32_t kCount = 100000;
  // Addresses that grow unevenly, which is what misleads an interpolation.
  const auto address = [](std::uint32_t i) { return kText + std::uint64_t{i} * (i < kCount / 2 ? 4 : 64); };
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const std::uint64_t at = kIp + std::uint64_t{i} * 4;
    memory.put<std::uint32_t>(GuestVirt(at), static_cast<std::uint32_t>(address(i) - at));
    memory.put<std::uint32_t>(GuestVirt(kEntries + std::uint64_t{i} * 6), i);
  }
  const OrcTable plain{GuestVirt(kIp), GuestVirt(kEntries), kCount, GuestVirt(kText), GuestVirt(kIp), {}};
  OrcTable table = plain;
  table.samples.resize(128);
  for (std::size_t i = 0; i < table.samples.size(); ++i) {
    table.samples[i] = address(table.sample_index(i));
  }
  for (const std::uint32_t i : {0U, 1U, 780U, 781U, 782U, 49999U, 50000U, kCount - 2, kCount - 1}) {
    PagesRead pages(memory);
    const auto hit = lookup_orc(pages, table, GuestVirt(address(i) + 3));
    const auto same = lookup_orc(memory, plain, GuestVirt(address(i) + 3));
    ASSERT_TRUE(hit && *hit && same && *same);
    EXPECT_EQ((*hit)->begin.value, address(i));
    EXPECT_EQ((*hit)->bytes, (*same)->bytes);
    EXPECT_LE(pages.count(), 4U);
  }
  const auto below = lookup_orc(memory, table, GuestVirt(kText - 1));
  ASSERT_TRUE(below);
  EXPECT_FALSE(*below);
}

}  // namespace
}  // namespace xstack::x86
