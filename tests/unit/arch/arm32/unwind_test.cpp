// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "arch/arm32/arm32.h"
#include "arch/arm32/registers.h"
#include "linux/arm32_unwind_tables.h"
#include "tests/unit/arch/arm32/fake_code.h"
#include "unwind/walker.h"

namespace xstack {
namespace {

using namespace arm32;
using test::FakeCode;
using test::FakeVirt;
using test::put_words;

constexpr std::uint32_t kCall = 0xe12fff33;  // blx r3

/// A vCPU in SVC mode on the stack [0xd0000000, 0xd0002000), and a little kernel.
struct Machine32 {
  FakeVirt memory;
  FakeCode code;
  UnwindTables tables;
  CpuState cpu;

  Machine32() {
    cpu.arch = &arm32_ops();
    cpu.mode = "SVC";
    set(kCpsr, 0x60000013);
    set(kSp, 0xd0001f00);
    set(kSpSvc, 0xd0001f00);
    memory.touch(GuestVirt(0xd0001000));
    code.add("__irq_svc", 0xc0100000, 0x100);
    code.add("ret_fast_syscall", 0xc0100100, 0x100);
    code.add("inner", 0xc0101000, 0x100);
    code.add("middle", 0xc0102000, 0x100);
    code.add("outer", 0xc0103000, 0x100);
    code.add("call_with_stack", 0xc0104000, 0x20);
    memory.touch(GuestVirt(0xc0100000));
    for (const std::uint64_t start : {0xc0101000, 0xc0102000, 0xc0103000, 0xc0104000}) {
      put_words(memory, start, {0xe92d4010, kCall, 0xe8bd8010});  // push {r4, lr}; blx r3; pop {r4, pc}
    }
  }
  void set(RegisterIndex reg, std::uint64_t value) { cpu.regs.set(reg, value); }
  void stack(std::uint64_t at, std::initializer_list<std::uint32_t> words) { put_words(memory, at, words); }
  /// Every function's index entry: pop {r4, lr}; entry code cannot be unwound, call_with_stack goes by r11.
  void with_tables() {
    std::uint64_t at = 0xc0200000;
    for (const auto& [start, second] :
         {std::pair{0xc0100000ULL, 1U}, std::pair{0xc0101000ULL, 0x80a8b0b0U}, std::pair{0xc0104000ULL, 0x809b8480U}}) {
      put_words(memory, at, {static_cast<std::uint32_t>(start - at) & 0x7fffffff, second});
      at += 8;
    }
    tables.ehabi.push_back({GuestVirt(0xc0200000), 3, GuestVirt(0xc0100000), GuestVirt(0xc0105000), {}});
  }
  Walk walk() {
    StepContext context{cpu, memory, code, tables, true};
    return walk_stack(context);
  }
  /// "inner+8 ehabi, ..."
  std::string text(const Walk& walk) {
    std::string out;
    for (const Frame& f : walk.frames) {
      const auto function = code.function_at(lookup_address(f));
      out += fmt::format("{}+{:x} {}{}, ", function ? function->name : "?", function ? f.pc - function->start : 0,
                         to_string(f.found_by), f.stack ? "@" + *f.stack : "");
    }
    return out + to_string(walk.end.reason);
  }
};

void put_user_regs(Machine32& m) {
  put_words(m.memory, 0xd0001fb0 + 13 * 4, {0xbe9f0c10, 0, 0x11166, 0x60000030});
}

TEST(Arm32Unwind, TablesDownToTheUser) {
  Machine32 m;
  m.with_tables();
  put_user_regs(m);
  m.set(kPc, 0xc0101008);
  m.stack(0xd0001f00, {4, 0xc0102008, 4, 0xc0100100});
  m.set(kSp, 0xd0001f00);
  // middle's frame ends where the user's registers, two words up, begin.
  m.stack(0xd0001f98, {4, 0xc0102008, 4, 0xc0100100});
  m.set(kSp, 0xd0001f98);
  const Walk walk = m.walk();
  EXPECT_EQ(m.text(walk), "inner+8 registers, middle+8 ehabi, ret_fast_syscall+0 ehabi, user mode");
  ASSERT_TRUE(walk.end.user);
  EXPECT_EQ(walk.end.user->pc.value, 0x11166U);
  EXPECT_EQ(walk.end.user->sp, GuestVirt(0xbe9f0c10));
}

TEST(Arm32Unwind, FirstInstructionAndPrologueGoByLr) {
  Machine32 m;
  m.with_tables();
  m.set(kPc, 0xc0101000);
  m.set(kLr, 0xc0102008);
  m.stack(0xd0001f00, {4, 0, 0, 0});
  EXPECT_EQ(m.text(m.walk()), "inner+0 registers, middle+8 link-register, end of stack");
}

TEST(Arm32Unwind, JumpThroughNull) {
  Machine32 m;
  m.with_tables();
  m.set(kPc, 0);
  m.set(kLr, 0xc0102008);
  EXPECT_EQ(m.text(m.walk()), "?+0 registers, middle+8 link-register, end of stack");
}

TEST(Arm32Unwind, AnInterruptOnItsOwnStack) {
  Machine32 m;
  m.with_tables();
  m.memory.touch(GuestVirt(0xd0005000));
  m.set(kPc, 0xc0101008);
  m.set(kSp, 0xd0005ff8);
  m.stack(0xd0005ff8, {4, 0xc0104008});
  m.set(kFp, 0xd0001e00);
  m.stack(0xd0001e00, {0, 0xc0100084});  // r11, lr of call_with_stack: into __irq_svc
  put_words(m.memory, 0xc0100080, {kCall});
  // pt_regs, of middle just past its push
  put_words(m.memory, 0xd0001e08 + 13 * 4, {0xd0001e08 + 80, 0xdead, 0xc0102004, 0x60000013});
  put_words(m.memory, 0xd0001e08 + 80, {4, 0xc0103008, 4, 0});
  EXPECT_EQ(m.text(m.walk()),
            "inner+8 registers@irq, call_with_stack+8 ehabi@irq, __irq_svc+84 ehabi, middle+4 exception, "
            "outer+8 ehabi, end of stack");
}

TEST(Arm32Unwind, FrameRecordsOfGcc) {
  Machine32 m;
  m.set(kPc, 0xc0101080);
  m.code.add("inner", 0xc0101000, 0x100);
  put_words(m.memory, 0xc0101004, {0xe04dd003});  // what the code does with sp cannot be followed
  m.set(kFp, 0xd0001f1c);
  m.stack(0xd0001f10, {0xd0001f3c, 0xd0001f20, 0xc0102008, 0xc010100c});
  m.stack(0xd0001f30, {0, 0xd0001f40, 0xc0103008, 0xc010200c});
  EXPECT_EQ(m.text(m.walk()), "inner+80 registers, middle+8 frame, outer+8 frame, end of stack");
}

TEST(Arm32Unwind, StoppedInTheVectors) {
  Machine32 m;
  m.with_tables();
  m.cpu.mode = "IRQ";
  m.set(kCpsr, 0x60000092);
  m.set(kPc, 0xffff0018);
  m.set(kLrIrq, 0xc0101008 + 4);
  m.set(kSpsrIrq, 0x60000013);
  m.set(kSpIrq, 0xd0009000);
  m.set(kLrSvc, 0);
  m.stack(0xd0001f00, {4, 0xc0102008, 4, 0});
  EXPECT_EQ(m.text(m.walk()), "?+0 registers, inner+8 exception, middle+8 ehabi, end of stack");
  m.set(kSpsrIrq, 0x60000010);
  const Walk user = m.walk();
  EXPECT_EQ(user.end.reason, EndReason::user_mode);
  EXPECT_EQ(user.end.user->pc.value, 0xc0101008U);
}

TEST(Arm32Unwind, StoppedInTheVectorsWithTheCurrentBankAlone) {
  Machine32 m;  // as an NT_PRSTATUS note has it: what was interrupted is known, and its stack is not
  m.with_tables();
  m.cpu.mode = "IRQ";
  m.cpu.regs.forget(kSpSvc);
  m.set(kCpsr, 0x60000092);
  m.set(kPc, 0xffff0018);
  m.set(kLrIrq, 0xc0101008 + 4);
  m.set(kSpIrq, 0xd0009000);
  EXPECT_EQ(m.text(m.walk()).find("?+0 registers, inner+8 exception, no unwind information"), 0U) << m.text(m.walk());
  m.set(kLrIrq, 0x10494);  // no code of the kernel's: a program, or anything
  EXPECT_EQ(m.walk().frames.size(), 1U);
}

TEST(Arm32Unwind, InUserModeThereIsNothingToWalk) {
  Machine32 m;
  m.cpu.user = true;
  m.set(kPc, 0x10490);
  const Walk walk = m.walk();
  EXPECT_EQ(walk.frames.size(), 1U);
  EXPECT_EQ(walk.end.reason, EndReason::user_mode);
  EXPECT_EQ(walk.end.user->pc.value, 0x10490U);
}

TEST(Arm32Unwind, GuessesAreMarkedAndStayMarked) {
  Machine32 m;
  put_words(m.memory, 0xc0101000, {0xe04dd003});  // no table, no record, no help from the code
  m.set(kPc, 0xc0101040);
  m.stack(0xd0001f00, {0xc0101234, 0xc0103010, 0xc0102008});
  const Walk walk = m.walk();
  ASSERT_GE(walk.frames.size(), 2U);
  EXPECT_EQ(walk.frames[1].pc.value, 0xc0102008U);
  for (std::size_t i = 1; i < walk.frames.size(); ++i) {
    EXPECT_EQ(walk.frames[i].found_by, FoundBy::scan);
  }
}

TEST(Arm32Unwind, OfCodeWithoutANameTheNearestCallIsGuessed) {
  Machine32 m;
  m.set(kPc, 0xbf000100);  // a module that nothing is known of: the kernel calls it through a pointer
  put_words(m.memory, 0xc0103020, {0xe12fff33});
  m.stack(0xd0001f00, {0xc0103024, 0xc0102008});
  const Walk walk = m.walk();
  ASSERT_GE(walk.frames.size(), 2U);
  EXPECT_EQ(walk.frames[1].pc.value, 0xc0103024U);
  EXPECT_EQ(walk.frames[1].found_by, FoundBy::scan);
}

TEST(Arm32Unwind, ACircleEnds) {
  Machine32 m;
  m.set(kPc, 0xc0101080);
  put_words(m.memory, 0xc0101004, {0xe04dd003});
  m.set(kFp, 0xd0001f1c);
  m.stack(0xd0001f10, {0xd0001f1c, 0xd0001f20, 0xc0101008, 0xc010100c});
  EXPECT_EQ(m.walk().end.reason, EndReason::no_progress);
}

TEST(Arm32Tables, FoundByTheirForm) {
  Machine32 m;
  constexpr std::uint64_t kIndex = 0xc0240004;
  for (std::uint32_t i = 0; i < 1500; ++i) {
    const std::uint64_t at = kIndex + i * 8;
    put_words(m.memory, at,
              {static_cast<std::uint32_t>(0xc0101000 + i * 16 - at) & 0x7fffffff, i % 8 ? 0x80b0b0b0 : 1U});
  }
  FakeCode none;
  const auto tables = find_kernel_ehabi(m.memory, GuestVirt(0xc0100000), GuestVirt(0xc0300000), none);
  ASSERT_EQ(tables.size(), 1U);
  EXPECT_EQ(tables[0].index, GuestVirt(kIndex));
  EXPECT_EQ(tables[0].count, 1500U);
  EXPECT_TRUE(find_kernel_ehabi(m.memory, GuestVirt(0xc0100000), GuestVirt(0xc0200000), none).empty());
  none.add("_stext", 0xc0100000, 16);
  EXPECT_TRUE(find_kernel_ehabi(m.memory, GuestVirt(0xc0100000), GuestVirt(0xc0300000), none).empty());
  none.add("__aeabi_unwind_cpp_pr0", 0xc0100010, 4);
  EXPECT_EQ(find_kernel_ehabi(m.memory, GuestVirt(0xc0100000), GuestVirt(0xc0300000), none).size(), 1U);
}

TEST(Arm32Tables, OfAModuleByItsStructure) {
  FakeVirt memory;
  KernelModule module;
  module.name = "softdog";
  module.structure = GuestVirt(0xbf002000);
  module.text_begin = GuestVirt(0xbf000000);
  module.text_end = GuestVirt(0xbf001000);
  put_words(memory, 0xbf001100,
            {static_cast<std::uint32_t>(0xbf000000 - 0xbf001100) & 0x7fffffff, 1,
             static_cast<std::uint32_t>(0xbf000100 - 0xbf001108) & 0x7fffffff, 0x80a8b0b0});
  // struct unwind_table with two list heads; the second is in the module's list, whose head is in struct module.
  put_words(memory, 0xc2000000,
            {0, 0, 0xbf002080, 0xbf002080, 0xbf001100, 0xbf001100, 0xbf001110, 0xbf000000, 0xbf000800});
  put_words(memory, 0xbf002080, {0xc2000008, 0xc2000008});
  const auto tables = find_module_ehabi(memory, module);
  ASSERT_EQ(tables.size(), 1U);
  EXPECT_EQ(tables[0].index, GuestVirt(0xbf001100));
  EXPECT_EQ(tables[0].count, 2U);
  EXPECT_EQ(tables[0].text_end, GuestVirt(0xbf000800));
  EXPECT_EQ(tables[0].module, "softdog");
}

/// head.S of a kernel in physical memory: no symbols, no stack, no tables. The call at 0x40308004 leads to the loop.
struct HeadCode : Machine32 {
  HeadCode() {
    set(kSp, 0);
    set(kSpSvc, 0);
    set(kPc, 0x40308020);
    set(kLr, 0x40308008);
    put_words(memory, 0x40308000, {0xe1a00000, 0xeb000001, 0xe1a00000, 0xe1a00000});  // nop; bl 0x40308010; nop; nop
    put_words(memory, 0x40308010, {0xe1130001, 0xe1a00000, 0x1a000000, 0xea001000});  // tst; nop; bne 0x40308020; b
    put_words(memory, 0x40308020, {0xe1a00000, 0xeafffffd});                          // nop; b 0x40308020
  }
};

TEST(Arm32Unwind, CodeThatNothingDescribesWasEnteredByTheCallBeforeLr) {
  HeadCode machine;
  const Walk walk = machine.walk();
  ASSERT_EQ(walk.frames.size(), 2U);
  EXPECT_EQ(walk.frames[1].pc, GuestVirt(0x40308008));
  EXPECT_EQ(walk.frames[1].found_by, FoundBy::link_register);
  EXPECT_EQ(walk.end.reason, EndReason::no_unwind_info);
}

TEST(Arm32Unwind, CodeBehindAReturnWasNotEnteredByTheCallBeforeLr) {
  for (const std::uint32_t returns : {0xe12fff1eU, 0xe1a0f00eU, 0xe8bd8010U}) {  // bx lr; mov pc, lr; pop {r4, pc}
    HeadCode machine;
    machine.memory.put<std::uint32_t>(GuestVirt(0x40308014), returns);
    EXPECT_EQ(machine.walk().frames.size(), 1U) << std::hex << returns;
  }
  HeadCode far;
  far.set(kPc, 0x40308010 + 0x400);
  EXPECT_EQ(far.walk().frames.size(), 1U);
  HeadCode before;
  before.set(kPc, 0x4030800c);
  EXPECT_EQ(before.walk().frames.size(), 1U);
}

}  // namespace
}  // namespace xstack
