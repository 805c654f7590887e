// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/stacks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "arch/arm32/unwind.h"
#include "arch/arm64/registers.h"
#include "arch/x86/stacks.h"
#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

using testing::ElementsAre;

/// Functions of 256 bytes each, by name.
class Code final : public CodeInfo {
 public:
  GuestVirt add(const char* name) {
    names_.emplace_back(name);
    return GuestVirt(0x1000 + (names_.size() - 1) * 0x100 + 0x20);
  }
  std::optional<CodeSymbol> function_at(GuestVirt at) override {
    const std::uint64_t i = (at.value - 0x1000) / 0x100;
    return at.value < 0x1000 || i >= names_.size()
               ? std::nullopt
               : std::optional(CodeSymbol{names_[i], GuestVirt(0x1000 + i * 0x100), 0x100, {}});
  }
  std::optional<bool> is_code(GuestVirt) override { return true; }
  std::optional<GuestVirt> address_of(std::string_view) override { return std::nullopt; }

 private:
  std::vector<std::string> names_;
};

class Stacks : public testing::Test {
 protected:
  void add(const char* function, std::uint64_t sp, bool exact = false) {
    Frame frame;
    frame.pc = code.add(function);
    frame.sp = GuestVirt(sp);
    frame.exact = exact;
    frame.found_by = exact ? FoundBy::exception : FoundBy::frame;
    frames.push_back(frame);
    memory.touch(GuestVirt(sp));
  }
  /// The stack's name of each frame; "" for the task's.
  std::vector<std::string> marked(ArchId arch, void (*mark)(StepContext&, std::span<Frame>)) {
    CpuState cpu;
    cpu.arch = &arch_ops(arch);
    UnwindTables tables;
    StepContext context{cpu, memory, code, tables, false};
    mark(context, frames);
    std::vector<std::string> out;
    for (const Frame& frame : frames) {
      out.push_back(frame.stack.value_or(""));
    }
    return out;
  }

  Code code;
  test::FakeVirt memory;
  std::vector<Frame> frames;
};

using X86Stacks = Stacks;
using Arm64Stacks = Stacks;
using Arm32Stacks = Stacks;

constexpr std::uint64_t kTask = 0xffffc90000003f00;
constexpr std::uint64_t kIrq = 0xffffc90000108f00;
constexpr std::uint64_t kEntryArea = 0xfffffe0000010f00;

TEST_F(X86Stacks, ASwitchByCallIsToTheInterruptStack) {
  add("handler", kIrq);
  add("call_on_stack", kIrq + 0x40);
  add("sysvec_apic_timer_interrupt", kTask);
  add("main", kTask + 0x40, true);
  EXPECT_THAT(marked(ArchId::x86_64, x86::mark_stacks), ElementsAre("irq", "irq", "", ""));
}

TEST_F(X86Stacks, ExceptionsWithAStackOfTheirOwnAreNamedAfterTheirHandler) {
  for (const auto& [handler, name] : std::map<const char*, const char*>{{"asm_exc_nmi", "nmi"},
                                                                        {"end_repeat_nmi", "nmi"},
                                                                        {"asm_exc_double_fault", "df"},
                                                                        {"asm_exc_debug", "db"},
                                                                        {"asm_exc_machine_check", "mce"},
                                                                        {"asm_exc_vmm_communication", "vc"}}) {
    frames.clear();
    add("inner", kEntryArea);
    add(handler, kEntryArea + 0x40);
    add("interrupted", kTask, true);
    EXPECT_THAT(marked(ArchId::x86_64, x86::mark_stacks), ElementsAre(name, name, "")) << handler;
  }
}

TEST_F(X86Stacks, AnNmiInAnInterruptLeavesBothNamed) {
  add("nmi_handle", kEntryArea);
  add("asm_exc_nmi", kEntryArea + 0x40);
  add("handler", kIrq, true);
  add("common_interrupt", kTask);
  EXPECT_THAT(marked(ArchId::x86_64, x86::mark_stacks), ElementsAre("nmi", "nmi", "irq", ""));
}

TEST_F(X86Stacks, TheEntryStackIsKnownByItsPlace) {
  add("entry_SYSCALL_64_safe_stack", kEntryArea);
  EXPECT_THAT(marked(ArchId::x86_64, x86::mark_stacks), ElementsAre("entry"));
}

void place_records(std::vector<Frame>& frames) {
  for (Frame& frame : frames) {
    frame.regs.set(arm64::kFp, frame.sp->value);
  }
}

TEST_F(Arm64Stacks, AreNamedAfterWhoSwitched) {
  for (const auto& [function, name] : std::map<const char*, const char*>{
           {"call_on_irq_stack", "irq"}, {"handle_bad_stack", "overflow"}, {"__sdei_handler", "sdei"}}) {
    frames.clear();
    add("inner", 0xffff800010000f00);
    add(function, 0xffff800010000f80);
    add("el1h_64_irq", 0xffff800012340e00);
    add("task", 0xffff800012340f00);
    place_records(frames);
    EXPECT_THAT(marked(ArchId::arm64, arm64::mark_stacks), ElementsAre(name, name, "", "")) << function;
  }
}

TEST_F(Arm32Stacks, AreNamedAfterWhoSwitched) {
  add("panic", 0xc1b00f00);
  add("call_with_stack", 0xc1b00f80);
  add("__irq_svc", 0xd080de00);
  EXPECT_THAT(marked(ArchId::arm32, arm32::mark_stacks), ElementsAre("irq", "irq", ""));
  frames.clear();
  add("panic", 0xc1c00f00);
  add("__bad_stack", 0xc1c00f80);
  add("recursive", 0xd080de00);
  EXPECT_THAT(marked(ArchId::arm32, arm32::mark_stacks), ElementsAre("overflow", "overflow", ""));
}

}  // namespace
}  // namespace xstack
