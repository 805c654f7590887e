// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "arch/x86/code_bytes.h"
#include "arch/x86/registers.h"
#include "arch/x86/x86.h"
#include "tests/support/fake_memory.h"
#include "tests/unit/arch/arm32/fake_code.h"
#include "unwind/walker.h"

namespace xstack::x86 {
namespace {

constexpr std::uint32_t kText = 0xc1000000;
constexpr std::uint32_t kModule = 0xd0872000;
constexpr std::uint32_t kStackTop = 0xc1198000;

struct Fixture {
  test::FakeVirt memory;
  test::FakeCode code;
  UnwindTables tables;
  CpuState cpu;

  Fixture() {
    cpu.arch = &x86_32_ops();
    memory.touch(GuestVirt(kStackTop - 4096));
  }

  /// A function of 256 bytes.
  void function(const char* name, std::uint32_t at, std::initializer_list<unsigned> bytes) {
    code.add(name, at, 256);
    put(at, bytes);
  }
  void put(std::uint32_t at, std::initializer_list<unsigned> bytes) {
    for (const unsigned byte : bytes) {
      memory.put<std::uint8_t>(GuestVirt(at++), static_cast<std::uint8_t>(byte));
    }
  }
  /// A direct call of `target` that returns to `back`.
  void call(std::uint32_t back, std::uint32_t target) {
    put(back - 5, {0xe8});
    memory.put<std::uint32_t>(GuestVirt(back - 4), target - back);
  }
  void words(std::uint32_t at, std::initializer_list<std::uint32_t> values) { test::put_words(memory, at, values); }

  Walk walk(std::uint32_t eip, std::uint32_t esp, std::uint32_t ebp) {
    cpu.regs.set(kEip, eip);
    cpu.regs.set(kEsp, esp);
    cpu.regs.set(kEbp, ebp);
    StepContext context{cpu, memory, code, tables, true};
    return walk_stack(context);
  }
};

/// nop in place of __fentry__, push ebp, mov ebp, esp
constexpr std::initializer_list<unsigned> kFramed = {0x3e, 0x8d, 0x74, 0x26, 0x00, 0x55, 0x89, 0xe5};

TEST(X86Prologue, EveryNopInPlaceOfFentry) {
  const std::vector<std::vector<unsigned>> nops = {{0x0f, 0x1f, 0x44, 0x00, 0x00},
                                                   {0x3e, 0x8d, 0x74, 0x26, 0x00},
                                                   {0x66, 0x66, 0x66, 0x66, 0x90},
                                                   {0x66, 0x66, 0x90, 0x66, 0x90}};
  for (const auto& nop : nops) {
    test::FakeVirt memory;
    std::uint64_t at = kText;
    for (const unsigned byte : nop) {
      memory.put<std::uint8_t>(GuestVirt(at++), static_cast<std::uint8_t>(byte));
    }
    for (const unsigned byte : {0x55, 0x89, 0xe5, 0x57}) {
      memory.put<std::uint8_t>(GuestVirt(at++), static_cast<std::uint8_t>(byte));
    }
    const auto state = [&](unsigned offset) {
      return frame_state(memory, GuestVirt(kText), GuestVirt(kText + offset), 4);
    };
    EXPECT_EQ(state(5), FrameState::before);
    EXPECT_EQ(state(6), FrameState::pushed);
    EXPECT_EQ(state(8), FrameState::built);
  }
}

TEST(X86Frames32, ACallThroughARegisterFollowsTheChain) {
  Fixture f;
  f.function("callee", kText, kFramed);
  f.function("caller", kText + 0x100, kFramed);
  f.put(kText + 0x13e, {0xff, 0xd0});
  f.words(kStackTop - 0x80, {kStackTop - 0x40, kText + 0x140});
  const Walk walk = f.walk(kText + 0x20, kStackTop - 0x90, kStackTop - 0x80);
  ASSERT_EQ(walk.frames.size(), 2U);
  EXPECT_EQ(walk.frames[1].pc, GuestVirt(kText + 0x140));
  EXPECT_EQ(walk.frames[1].found_by, FoundBy::frame);
  EXPECT_EQ(walk.end.reason, EndReason::end_of_stack);
  EXPECT_EQ(walk.end.detail.find("guess"), std::string::npos);
}

TEST(X86Frames32, AtAReturnTheCallerIsOnTopOfTheStack) {
  Fixture f;
  f.function("idle", kText, {0xa1, 0, 0, 0, 0, 0xf4, 0xc3});  // no frame: mov eax, [0]; hlt; ret
  f.function("caller", kText + 0x100, kFramed);
  f.function("outer", kText + 0x200, kFramed);
  f.put(kText + 0x13e, {0xff, 0xd0});
  f.call(kText + 0x240, kText + 0x100);
  f.words(kStackTop - 0x44, {kText + 0x140, 0, kText + 0x240});
  f.words(kStackTop - 0x40, {kStackTop - 0x20, kText + 0x240});
  const Walk walk = f.walk(kText + 6, kStackTop - 0x44, kStackTop - 0x40);
  ASSERT_EQ(walk.frames.size(), 3U);
  EXPECT_EQ(walk.frames[1].pc, GuestVirt(kText + 0x140));
  EXPECT_EQ(walk.frames[1].found_by, FoundBy::link_register);
  EXPECT_EQ(walk.frames[2].pc, GuestVirt(kText + 0x240));
  EXPECT_EQ(walk.frames[2].found_by, FoundBy::frame);
}

TEST(X86Frames32, ADirectCallProvesAFrameThatWasBuiltLate) {
  Fixture f;
  f.function("callee", kText, kFramed);
  f.function("late", kText + 0x100, {0xa8, 0x10, 0x74, 0x20, 0x55, 0x89, 0xe5});  // test al, 16; je; push; mov
  f.code.add("outer", kText + 0x200, 256);                                        // says nothing of its frame
  f.call(kText + 0x140, kText);
  f.call(kText + 0x240, kText + 0x100);
  f.words(kStackTop - 0x80, {kStackTop - 0x40, kText + 0x140});
  f.words(kStackTop - 0x40, {kStackTop - 0x20, kText + 0x240});
  const Walk walk = f.walk(kText + 0x20, kStackTop - 0x90, kStackTop - 0x80);
  ASSERT_EQ(walk.frames.size(), 3U);
  EXPECT_EQ(walk.frames[2].pc, GuestVirt(kText + 0x240));
  EXPECT_EQ(walk.frames[2].found_by, FoundBy::frame);
}

TEST(X86Frames32, ADirectCallProvesACallerWithoutSymbols) {
  Fixture f;
  f.function("callee", kText, kFramed);
  f.function("outer", kText + 0x200, kFramed);
  f.call(kModule + 0x40, kText);
  f.put(kText + 0x23e, {0xff, 0xd0});
  f.words(kStackTop - 0x80, {kStackTop - 0x40, kModule + 0x40});
  f.words(kStackTop - 0x40, {kStackTop - 0x20, kText + 0x240});
  const Walk walk = f.walk(kText + 0x20, kStackTop - 0x90, kStackTop - 0x80);
  ASSERT_EQ(walk.frames.size(), 3U);
  EXPECT_EQ(walk.frames[1].pc, GuestVirt(kModule + 0x40));
  EXPECT_EQ(walk.frames[1].found_by, FoundBy::frame);
  EXPECT_EQ(walk.frames[2].pc, GuestVirt(kText + 0x240));
  // A call of something else proves nothing of code that no symbol covers.
  f.call(kModule + 0x40, kText + 0x80);
  EXPECT_NE(f.walk(kText + 0x20, kStackTop - 0x90, kStackTop - 0x80).frames[1].found_by, FoundBy::frame);
}

TEST(X86Frames32, TheCallerOfAFunctionWithoutAFrameIsNotLeftOut) {
  Fixture f;
  f.function("memset", kText, {0x57, 0xf3, 0xaa});  // push edi; rep stosb
  f.function("caller", kText + 0x100, kFramed);
  f.function("outer", kText + 0x200, kFramed);
  f.call(kText + 0x140, kText);
  f.put(kText + 0x23e, {0xff, 0xd0});
  f.words(kStackTop - 0x90, {0x1234, kText + 0x140});
  f.words(kStackTop - 0x80, {kStackTop - 0x40, kText + 0x240});
  const Walk walk = f.walk(kText + 1, kStackTop - 0x90, kStackTop - 0x80);
  ASSERT_GE(walk.frames.size(), 2U);
  EXPECT_EQ(walk.frames[1].pc, GuestVirt(kText + 0x140));
  EXPECT_EQ(walk.frames[1].found_by, FoundBy::scan);
}

TEST(X86Frames32, TheFirstTasksStackBeginsInFreedCode) {
  constexpr std::uint32_t kInit = kText + 0x1000;
  Fixture f;
  f.function("startup_32_smp", kText + 0x800, {0x90});
  f.function("rest_init", kText, kFramed);
  f.put(kText + 0x83e, {0xff, 0xd0});
  // No byte of these can be read.
  f.code.add("_sinittext", kInit, 16);
  f.code.add("arch_call_rest_init", kInit + 0x100, 0x100);
  f.code.add("start_kernel", kInit + 0x200, 0x100);
  f.words(kStackTop - 0x80, {kStackTop - 0x60, kInit + 0x140});
  f.words(kStackTop - 0x60, {kStackTop - 0x50, kInit + 0x240});
  f.words(kStackTop - 0x50, {0x01000000, kText + 0x840});
  const auto walk = [&] { return f.walk(kText + 0x20, kStackTop - 0x90, kStackTop - 0x80); };
  EXPECT_EQ(walk().frames[1].found_by, FoundBy::scan);  // nothing says that it is freed code
  f.code.add("_einittext", kInit + 0x1000, 16);
  const Walk whole = walk();
  ASSERT_EQ(whole.frames.size(), 4U);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(whole.frames[i].found_by, FoundBy::frame) << i;
  }
  EXPECT_EQ(whole.frames[3].pc, GuestVirt(kText + 0x840));
  EXPECT_EQ(whole.end.reason, EndReason::end_of_stack);
  // A chain that does not rise is none.
  f.words(kStackTop - 0x80, {kStackTop - 0x88});
  EXPECT_EQ(walk().frames[1].found_by, FoundBy::scan);
}

/// What an entry from user mode has saved, changed by each test.
struct Saved {
  std::uint32_t pc = 0xb7f01234, cs = 0x73, flags = 0x246, sp = 0xbff00000, ss = 0x7b;
  std::uint32_t end = kStackTop - 16;  ///< where the record ends
  bool guessed = true;                 ///< whether the return address before it is only found by a scan
};

TraceEnd end_of(const Saved& saved) {
  Fixture f;
  f.function("leaf", kText, {0x31, 0xc0});
  f.function("entry", kText + 0x100, {0xfc, 0x50});
  f.put(kText + 0x13e, {0xff, 0xd0});
  const std::uint32_t regs = saved.end - 68;
  f.words(regs - 4, {kText + 0x140, 1, 2, 3, 4, 5, 6, 7, 0x7b, 0x7b, 0xd8, 0, 0xffffffff});
  f.words(regs + 48, {saved.pc, saved.cs, saved.flags, saved.sp, saved.ss});
  if (saved.guessed) {
    return f.walk(kText + 0x10, regs - 8, 0x354).end;
  }
  f.put(kText + 0x10, {0xc3});
  return f.walk(kText + 0x10, regs - 4, 0x354).end;
}

TEST(X86Frames32, AnEndAfterAGuessSaysSo) {
  const TraceEnd guessed = end_of({});
  EXPECT_EQ(guessed.reason, EndReason::user_mode);
  EXPECT_NE(guessed.detail.find("after a guess"), std::string::npos);
  Saved sure;
  sure.guessed = false;
  const TraceEnd end = end_of(sure);
  EXPECT_EQ(end.reason, EndReason::user_mode);
  EXPECT_EQ(end.detail.find("guess"), std::string::npos);
  ASSERT_TRUE(end.user);
  EXPECT_EQ(end.user->pc, GuestVirt(0xb7f01234));
}

TEST(X86Frames32, WordsThatCannotBeUserRegistersEndNoTrace) {
  for (const bool guessed : {true, false}) {
    std::array<Saved, 8> cases;
    cases[0].pc = kText + 0x80;  // kernel code
    cases[1].pc = 0xcaaaff70;    // above the kernel's stack and code
    cases[2].sp = 0xc1300000;
    cases[3].ss = 0x68;
    cases[4].cs = 0x60;
    cases[5].flags = 0x8246;
    cases[6].flags = 0xc1000246;
    cases[7].end = kStackTop - 64;  // not where tasks save them
    for (std::size_t i = 0; i < cases.size(); ++i) {
      cases[i].guessed = guessed;
      EXPECT_NE(end_of(cases[i]).reason, EndReason::user_mode) << "case " << i << " guessed " << guessed;
    }
  }
}

TEST(X86Frames32, AFramePointerToImplausibleUserRegistersIsRefused) {
  Fixture f;
  f.function("entry", kText, {0xfc, 0x50});
  const std::uint32_t regs = kStackTop - 16 - 68;
  f.words(regs + 48, {0xb7f01234, 0x73, 0x246, 0x354, 0x7b});
  const auto end = [&] { return f.walk(kText + 0x10, regs - 0x40, regs & 0x7fffffff).end; };
  EXPECT_EQ(end().reason, EndReason::user_mode);
  f.words(regs + 64, {0x10});
  EXPECT_EQ(end().reason, EndReason::bad_unwind_info);
}

}  // namespace
}  // namespace xstack::x86
