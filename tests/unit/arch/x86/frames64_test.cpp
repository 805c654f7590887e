// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "arch/x86/code_bytes.h"
#include "arch/x86/registers.h"
#include "arch/x86/x86.h"
#include "tests/support/fake_memory.h"
#include "tests/unit/arch/arm32/fake_code.h"
#include "unwind/walker.h"

namespace xstack::x86 {
namespace {

constexpr std::uint64_t kText = 0xffffffff81000000;
constexpr std::uint64_t kStack = 0xffffc90000010000;  // 4 KiB of it
constexpr std::uint64_t kTop = kStack + 0x1000;

/// A 64-bit kernel with frame pointers, or with ORC tables when a test gives it some.
struct Fixture {
  test::FakeVirt memory;
  test::FakeCode code;
  UnwindTables tables;
  CpuState cpu;

  Fixture() {
    cpu.arch = &x86_64_ops();
    memory.touch(GuestVirt(kStack));
  }
  void put(std::uint64_t at, std::initializer_list<unsigned> bytes) {
    for (const unsigned byte : bytes) {
      memory.put<std::uint8_t>(GuestVirt(at++), static_cast<std::uint8_t>(byte));
    }
  }
  /// A function of 256 bytes.
  void function(const char* name, std::uint64_t at, std::initializer_list<unsigned> bytes) {
    code.add(name, at, 256);
    put(at, bytes);
  }
  /// A direct call of `target` that returns to `back`.
  void call(std::uint64_t back, std::uint64_t target) {
    put(back - 5, {0xe8});
    memory.put(GuestVirt(back - 4), static_cast<std::uint32_t>(target - back));
  }
  /// A call through a register that returns to `back`.
  void call_register(std::uint64_t back) { put(back - 2, {0xff, 0xd0}); }
  void words(std::uint64_t at, std::initializer_list<std::uint64_t> values) {
    for (const std::uint64_t value : values) {
      memory.put(GuestVirt(at), value);
      at += 8;
    }
  }
  /// Saved registers at `at`: rbp and what the processor pushes.
  void saved(std::uint64_t at, std::uint64_t bp, std::uint64_t pc, std::uint64_t cs, std::uint64_t sp) {
    words(at + 4 * 8, {bp});
    words(at + 16 * 8, {pc, cs, 0x246, sp, cs + 8});
  }
  Walk walk(std::uint64_t rip, std::uint64_t rsp, std::uint64_t rbp, bool scan = false) {
    cpu.regs.set(kRip, rip);
    cpu.regs.set(kRsp, rsp);
    cpu.regs.set(kRbp, rbp);
    StepContext context{cpu, memory, code, tables, scan};
    return walk_stack(context);
  }
};

/// endbr64, nop in place of __fentry__, push rbp, mov rbp, rsp
constexpr std::initializer_list<unsigned> kFramed = {0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0x1f, 0x44,
                                                     0x00, 0x00, 0x55, 0x48, 0x89, 0xe5};

/// callee <- caller <- outer; the caller's frame is at kTop - 0x80, the outer one's at kTop - 0x40.
struct Chain : Fixture {
  Chain() {
    function("callee", kText, kFramed);
    function("caller", kText + 0x100, kFramed);
    function("outer", kText + 0x200, kFramed);
    call_register(kText + 0x140);
    call_register(kText + 0x240);
    words(kTop - 0x80, {kTop - 0x40, kText + 0x140});
    words(kTop - 0x40, {0, 0});
  }
};

TEST(X86Frames64, TheChainOfSavedFramePointers) {
  Chain f;
  f.words(kTop - 0x40, {kTop - 0x20, kText + 0x240});
  const Walk walk = f.walk(kText + 0x30, kTop - 0x90, kTop - 0x80);
  ASSERT_EQ(walk.frames.size(), 3U);
  EXPECT_EQ(walk.frames[1].pc, GuestVirt(kText + 0x140));
  EXPECT_EQ(walk.frames[1].sp, GuestVirt(kTop - 0x70));
  EXPECT_EQ(walk.frames[1].regs.get(kRbp), kTop - 0x40);
  EXPECT_EQ(walk.frames[1].found_by, FoundBy::frame);
  EXPECT_EQ(walk.frames[2].pc, GuestVirt(kText + 0x240));
  EXPECT_EQ(walk.end.reason, EndReason::end_of_stack) << "an empty frame";
}

TEST(X86Frames64, EachInstructionOfAPrologue) {
  // Where the return address is, and whose rbp it is, as the frame is built.
  struct Row {
    std::uint64_t offset, rsp, rbp;
    FoundBy found_by;
  };
  const Row rows[] = {{0, kTop - 0x78, kTop - 0x40, FoundBy::link_register},
                      {9, kTop - 0x78, kTop - 0x40, FoundBy::link_register},
                      {10, kTop - 0x80, kTop - 0x40, FoundBy::link_register},
                      {13, kTop - 0x80, kTop - 0x80, FoundBy::frame}};
  for (const Row& row : rows) {
    Chain f;
    const Walk walk = f.walk(kText + row.offset, row.rsp, row.rbp);
    ASSERT_GE(walk.frames.size(), 2U) << row.offset;
    EXPECT_EQ(walk.frames[1].pc, GuestVirt(kText + 0x140)) << row.offset;
    EXPECT_EQ(walk.frames[1].sp, GuestVirt(kTop - 0x70)) << row.offset;
    EXPECT_EQ(walk.frames[1].regs.get(kRbp), kTop - 0x40) << row.offset;
    EXPECT_EQ(walk.frames[1].found_by, row.found_by) << row.offset;
  }
}

TEST(X86Frames64, AnEpilogueThatHasPoppedItsFrame) {
  for (const unsigned next : {0xc3U, 0xe9U, 0xccU}) {  // ret; jmp __x86_return_thunk; int3 after a patched ret
    Chain f;
    f.put(kText + 0x50, {0x5d, next});
    const Walk walk = f.walk(kText + 0x51, kTop - 0x78, kTop - 0x40);
    ASSERT_GE(walk.frames.size(), 2U) << next;
    EXPECT_EQ(walk.frames[1].pc, GuestVirt(kText + 0x140)) << next;
    EXPECT_EQ(walk.frames[1].regs.get(kRbp), kTop - 0x40) << next;
  }
}

TEST(X86Frames64, AFramePointerWithItsLowestBitSetIsSavedRegisters) {
  Chain f;
  f.function("entry", kText + 0x300, {0xfc, 0x50});
  const std::uint64_t regs = kTop - 0x200;
  f.saved(regs, kTop - 0x80, kText + 0x30, 0x10, kTop - 0x90);
  // callee was interrupted; the entry's own callee is where the vCPU is.
  f.function("handler", kText + 0x400, kFramed);
  f.call_register(kText + 0x340);
  f.words(kTop - 0x280, {regs | 1, kText + 0x340});
  const Walk walk = f.walk(kText + 0x430, kTop - 0x290, kTop - 0x280);
  ASSERT_EQ(walk.frames.size(), 4U);
  EXPECT_EQ(walk.frames[1].pc, GuestVirt(kText + 0x340));
  EXPECT_EQ(walk.frames[2].pc, GuestVirt(kText + 0x30));
  EXPECT_EQ(walk.frames[2].found_by, FoundBy::exception);
  EXPECT_TRUE(walk.frames[2].exact);
  EXPECT_EQ(walk.frames[3].pc, GuestVirt(kText + 0x140));
}

TEST(X86Frames64, SavedRegistersOfUserModeEndTheTrace) {
  Chain f;
  f.function("entry", kText + 0x300, {0xfc, 0x50});
  f.saved(kTop - 0x200, 0, 0x401234, 0x33, 0x7fff1000);
  const Walk walk = f.walk(kText + 0x310, kTop - 0x220, (kTop - 0x200) | 1);
  EXPECT_EQ(walk.end.reason, EndReason::user_mode);
  ASSERT_TRUE(walk.end.user);
  EXPECT_EQ(walk.end.user->pc, GuestVirt(0x401234));
  EXPECT_EQ(walk.end.user->sp, GuestVirt(0x7fff1000));
}

TEST(X86Frames64, WhereAStackBeginsNothingIsAbove) {
  for (const char* name :
       {"ret_from_fork", "ret_from_fork_asm", "secondary_startup_64_no_verify", "cpu_bringup_and_idle"}) {
    Chain f;
    f.function(name, kText + 0x300, {0x90});
    f.call_register(kText + 0x340);
    f.words(kTop - 0x80, {kTop - 0x40, kText + 0x340});
    f.words(kTop - 0x40, {kTop - 0x20, kText + 0x140});  // what happens to lie there is not followed
    const Walk walk = f.walk(kText + 0x30, kTop - 0x90, kTop - 0x80);
    EXPECT_EQ(walk.end.reason, EndReason::end_of_stack) << name;
    EXPECT_EQ(walk.frames.size(), 2U) << name;
  }
}

TEST(X86Frames64, ARegisterThatIsNoFramePointerIsNotFollowed) {
  for (const std::uint64_t rbp :
       {std::uint64_t{0x1234}, kTop - 0x7c, kTop + 0x100000, std::uint64_t{0xdead000000000100}}) {
    Chain f;
    f.code.add("no_frame", kText + 0x300, 256);
    f.put(kText + 0x300, {0x48, 0x31, 0xc0});
    EXPECT_EQ(f.walk(kText + 0x310, kTop - 0x90, rbp).frames.size(), 1U) << rbp;
  }
}

TEST(X86Frames64, CirclesEnd) {
  Chain f;
  f.words(kTop - 0x80, {kTop - 0x80, kText + 0x140});
  EXPECT_EQ(f.walk(kText + 0x30, kTop - 0x90, kTop - 0x80).end.reason, EndReason::no_progress);
  f.words(kTop - 0x80, {kTop - 0x40, kText + 0x140});
  f.words(kTop - 0x40, {kTop - 0x80, kText + 0x240});
  EXPECT_EQ(f.walk(kText + 0x30, kTop - 0x90, kTop - 0x80).end.reason, EndReason::no_progress);
}

TEST(X86Frames64, AWordThatIsNoReturnAddressEndsTheChain) {
  for (const std::uint64_t bad : {kText + 0x150, std::uint64_t{0x401234}, kStack, ~std::uint64_t{0}}) {
    Chain f;
    f.words(kTop - 0x80, {kTop - 0x40, bad});
    const Walk walk = f.walk(kText + 0x30, kTop - 0x90, kTop - 0x80);
    EXPECT_EQ(walk.frames.size(), 1U) << bad;
    EXPECT_EQ(walk.end.reason, EndReason::not_code) << bad;
  }
}

/// An ORC table that says "end" of everything: what it says of assembly that nobody described.
struct Undescribed : Chain {
  Undescribed() {
    constexpr std::uint64_t kIp = 0xffffffff82000000;
    constexpr std::uint64_t kEntries = 0xffffffff82100000;
    memory.put(GuestVirt(kIp), static_cast<std::uint32_t>(kText - kIp));
    words(kEntries, {0});
    memory.put(GuestVirt(kEntries + 4), std::uint16_t{0x400});
    tables.orc.push_back(
        OrcTable{GuestVirt(kIp), GuestVirt(kEntries), 1, GuestVirt(kText), GuestVirt(kText + 0x100000), {}});
  }
};

TEST(X86Thunks, AVcpuInAThunkIsStillCalled) {
  // Whichever way to the function or back: the caller is on top of the stack.
  for (const char* name :
       {"__x86_indirect_thunk_rax", "__x86_indirect_thunk_array", "__x86_return_thunk", "srso_alias_return_thunk",
        "retbleed_return_thunk", "its_return_thunk", "call_depth_return_thunk", "__pi___x86_return_thunk"}) {
    Undescribed f;
    f.function(name, kText + 0x500, {0xe8, 0x07, 0, 0, 0});
    f.words(kTop - 0x78, {kText + 0x140});
    const Walk walk = f.walk(kText + 0x500, kTop - 0x78, kTop - 0x40);
    ASSERT_EQ(walk.frames.size(), 2U) << name;
    EXPECT_EQ(walk.frames[1].pc, GuestVirt(kText + 0x140)) << name;
    EXPECT_EQ(walk.frames[1].sp, GuestVirt(kTop - 0x70)) << name;
    EXPECT_EQ(walk.frames[1].regs.get(kRbp), kTop - 0x40) << name;
    EXPECT_EQ(walk.frames[1].found_by, FoundBy::link_register) << name;
  }
}

TEST(X86Thunks, AThunksOwnCallIsNoCaller) {
  Undescribed f;
  f.function("srso_return_thunk", kText + 0x500, {0xe8, 0x07, 0, 0, 0});
  f.words(kTop - 0x80, {kText + 0x505, kText + 0x140});  // call srso_safe_ret returns into the thunk
  const Walk walk = f.walk(kText + 0x50c, kTop - 0x80, kTop - 0x40);
  ASSERT_GE(walk.frames.size(), 2U);
  EXPECT_EQ(walk.frames[1].pc, GuestVirt(kText + 0x140));
  EXPECT_EQ(walk.frames[1].sp, GuestVirt(kTop - 0x70));
}

TEST(X86Thunks, ARetpolinesTargetIsPassedOver) {
  Undescribed f;
  f.function("__x86_indirect_thunk_rax", kText + 0x500, {0xe8, 0x07, 0, 0, 0});
  f.words(kTop - 0x80, {kText + 0x200, kText + 0x140});  // about to return to `outer`: no call is before its start
  const Walk walk = f.walk(kText + 0x50c, kTop - 0x80, kTop - 0x40);
  ASSERT_GE(walk.frames.size(), 2U);
  EXPECT_EQ(walk.frames[1].pc, GuestVirt(kText + 0x140));
}

TEST(X86Thunks, FurtherUpTheStackNothingIsTaken) {
  Undescribed f;
  f.function("__x86_return_thunk", kText + 0x500, {0xc3, 0xcc});
  f.words(kTop - 0x80, {1, 2, 3, kText + 0x140});
  EXPECT_EQ(f.walk(kText + 0x500, kTop - 0x80, kTop - 0x40).frames.size(), 1U);
}

TEST(X86Thunks, AFunctionWithAnotherNameIsNone) {
  for (const char* name : {"srs_x", "my__x86_return_thunk", "x86_indirect_thunk", "return_thunk"}) {
    EXPECT_FALSE(is_thunk(name)) << name;
  }
  Undescribed f;
  f.function("plain", kText + 0x500, {0x90});
  f.words(kTop - 0x80, {1, kText + 0x140});
  EXPECT_EQ(f.walk(kText + 0x510, kTop - 0x80, kTop - 0x40).frames.size(), 1U);
}

TEST(X86Thunks, AThunkIsNeverACaller) {
  Chain f;
  f.function("plain", kText + 0x300, {0x90});
  f.function("__x86_indirect_thunk_rax", kText + 0x500, {0xe8, 0x07, 0, 0, 0});
  f.words(kTop - 0x80, {kText + 0x505, kText + 0x140, 0, 0});
  const Walk walk = f.walk(kText + 0x310, kTop - 0x80, 0x1234, true);
  ASSERT_GE(walk.frames.size(), 2U);
  EXPECT_EQ(walk.frames[1].pc, GuestVirt(kText + 0x140));
  EXPECT_EQ(walk.frames[1].found_by, FoundBy::scan);
}

TEST(X86Stubs, PushesOfAHypercallStubAreCounted) {
  // push rcx; push r11; mov eax, 29; syscall; pop r11; pop rcx; ret
  static constexpr std::initializer_list<unsigned> kStub = {0x51, 0x41, 0x53, 0xb8, 29,   0,    0,
                                                            0,    0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};
  struct Row {
    std::uint64_t offset;
    unsigned words;
  };
  for (const Row row : {Row{0, 0}, Row{1, 1}, Row{3, 2}, Row{8, 2}, Row{10, 2}, Row{12, 1}, Row{13, 0}}) {
    Undescribed f;
    f.function("hypercall_page", kText + 0x500, {0xc3});
    f.code.add("hypercall_page", kText + 0x500, 0x1000);
    f.put(kText + 0x500 + 29 * 32, kStub);
    const std::uint64_t sp = kTop - 0x78 - row.words * std::uint64_t{8};
    f.words(sp, {0, 0});
    f.words(kTop - 0x78, {kText + 0x140});
    const Walk walk = f.walk(kText + 0x500 + 29 * 32 + row.offset, sp, kTop - 0x40);
    ASSERT_GE(walk.frames.size(), 2U) << row.offset;
    EXPECT_EQ(walk.frames[1].pc, GuestVirt(kText + 0x140)) << row.offset;
    EXPECT_EQ(walk.frames[1].sp, GuestVirt(kTop - 0x70)) << row.offset;
  }
}

TEST(X86Stubs, BytesThatAreNoStubGiveNoCaller) {
  Undescribed f;
  f.code.add("hypercall_page", kText + 0x500, 0x1000);
  f.put(kText + 0x520, {0x0f, 0x0b, 0xf4, 0x0f, 0x0b});
  f.words(kTop - 0x78, {kText + 0x140});
  EXPECT_EQ(f.walk(kText + 0x524, kTop - 0x78, kTop - 0x40).frames.size(), 1U);
}

TEST(X86CallBefore, EveryFormOfAnIndirectCall) {
  const std::vector<std::vector<unsigned>> calls = {
      {0xff, 0xd0},                                // call rax
      {0x41, 0xff, 0xd3},                          // call r11
      {0xff, 0x10},                                // call [rax]
      {0xff, 0x50, 0x10},                          // call [rax + 16]
      {0xff, 0x90, 0x00, 0x01, 0x00, 0x00},        // call [rax + 256]
      {0xff, 0x15, 0x10, 0x00, 0x00, 0x00},        // call [rip + 16]
      {0xff, 0x14, 0x24},                          // call [rsp]
      {0xff, 0x54, 0x24, 0x08},                    // call [rsp + 8]
      {0xff, 0x14, 0xc5, 0x00, 0x00, 0x00, 0x81},  // call [rax * 8 + disp32]
      {0xff, 0x94, 0x24, 0x00, 0x01, 0x00, 0x00},  // call [rsp + 256]
  };
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Fixture f;
    f.memory.touch(GuestVirt(kText));
    std::uint64_t at = kText + 0x40;
    for (const unsigned byte : calls[i]) {
      f.put(at++, {byte});
    }
    const auto site = call_before(f.memory, GuestVirt(at), 8);
    ASSERT_TRUE(site) << i;
    EXPECT_FALSE(site->target) << i;
    EXPECT_FALSE(call_before(f.memory, GuestVirt(at + 1), 8)) << i;
  }
}

TEST(X86CallBefore, WhatOnlyLooksSimilar) {
  const std::vector<std::vector<unsigned>> others = {
      {0xff, 0xe0},        // jmp rax
      {0xff, 0x30},        // push [rax]
      {0xff, 0xd8},        // a far call
      {0xff, 0x50},        // call [rax + disp8] without its last byte
      {0xff, 0x14, 0x25},  // call [disp32] without it
  };
  for (std::size_t i = 0; i < others.size(); ++i) {
    Fixture f;
    f.memory.touch(GuestVirt(kText));
    std::uint64_t at = kText + 0x40;
    for (const unsigned byte : others[i]) {
      f.put(at++, {byte});
    }
    EXPECT_FALSE(call_before(f.memory, GuestVirt(at), 8)) << i;
  }
}

TEST(X86CallBefore, ADirectCallSaysWhereTo) {
  Fixture f;
  f.call(kText + 0x140, kText + 0x20);
  EXPECT_EQ(call_before(f.memory, GuestVirt(kText + 0x140), 8)->target, GuestVirt(kText + 0x20));
  f.call(kText + 0x140, kText + 0x7000);
  EXPECT_EQ(call_before(f.memory, GuestVirt(kText + 0x140), 8)->target, GuestVirt(kText + 0x7000));
  // At the beginning of a readable page there are only the bytes after it.
  f.memory.touch(GuestVirt(kText + 0x10000));
  EXPECT_FALSE(call_before(f.memory, GuestVirt(kText + 0x10001), 8));
  f.put(kText + 0x10000, {0xff, 0xd0});
  EXPECT_TRUE(call_before(f.memory, GuestVirt(kText + 0x10002), 8));
  EXPECT_FALSE(call_before(f.memory, GuestVirt(0), 8));
  EXPECT_FALSE(call_before(f.memory, GuestVirt(1), 8));
}

}  // namespace
}  // namespace xstack::x86
