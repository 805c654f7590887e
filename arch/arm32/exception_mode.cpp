// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/exception_mode.h"

#include <fmt/format.h>

#include "arch/arm32/registers.h"
#include "arch/arm32/standstill.h"

namespace xstack::arm32 {
namespace {

constexpr std::uint64_t kHighVectors = 0xffff0000;
constexpr std::uint64_t kVectorBytes = 0x2000;  // the vectors and the page of stubs that follows
constexpr unsigned kStubInstructions = 14;
constexpr std::uint32_t kStoreR0Lr = 0xe88d4001;  // stmia sp, {r0, lr}
constexpr std::uint32_t kStoreSpsr = 0xe58de008;  // str lr, [sp, #8]
constexpr std::uint32_t kSubLr = 0xe24ee000;      // sub lr, lr, #n
constexpr std::uint32_t kSubLrMask = 0xfffffff0;

/// How far a vector stub had come.
struct StubProgress {
  bool adjusted = false;                    ///< `sub lr, lr, #n` is done
  bool stored_lr = false;                   ///< r0 and lr are at sp
  bool stored_spsr = false;                 ///< spsr is at sp + 8
  std::optional<std::uint32_t> correction;  ///< n of a `sub lr, lr, #n` at pc, still to be executed
};

StubProgress stub_progress(VirtMemory& memory, GuestVirt pc) {
  StubProgress progress;
  if (const auto here = memory.read_value<std::uint32_t>(pc); here && (*here & kSubLrMask) == kSubLr) {
    progress.correction = *here & 0xf;
    return progress;
  }
  for (unsigned i = 1; i <= kStubInstructions; ++i) {
    const auto insn = memory.read_value<std::uint32_t>(pc - std::uint64_t{i} * 4);
    // A stub is straight-line code up to its `movs pc, lr` and the table of handlers after it.
    if (!insn || *insn == 0xe1b0f00e || *insn >> 24 == 0xea || *insn >> 28 != 0xe) {
      break;
    }
    progress.stored_spsr = progress.stored_spsr || *insn == kStoreSpsr;
    progress.stored_lr = progress.stored_lr || *insn == kStoreR0Lr;
    if ((*insn & kSubLrMask) == kSubLr) {
      progress.adjusted = true;
      break;
    }
  }
  return progress;
}

bool in_vectors(std::uint64_t pc) {
  return pc >= kHighVectors && pc < kHighVectors + kVectorBytes;
}

/// What the architecture adds to the address of the interrupted instruction (ARM DDI 0406C, table B1-7), less what
/// Linux wants of it: a data abort returns to the instruction that faulted, an undefined one is that instruction.
std::uint32_t correction_of(std::uint64_t mode, std::uint64_t spsr, std::uint64_t pc) {
  if (mode == kModeUnd) {
    return (spsr & kThumbBit) != 0 ? 2 : 4;
  }
  const bool data_abort_vector = (pc & 0xfff) == 0x10;
  return mode == kModeAbt && data_abort_vector ? 8 : 4;
}

TraceEnd user_end(std::uint64_t pc, std::optional<std::uint64_t> sp) {
  return {EndReason::user_mode, "user code was interrupted",
          UserContext{GuestVirt(pc), sp ? std::optional(GuestVirt(*sp)) : std::nullopt}};
}

/// The interrupted instruction when that is all there is to know of what was interrupted: a dump that has the current
/// mode's registers alone (NT_PRSTATUS). LR and r0 to r12 hold on to it; the stack and link register are in another
/// bank.
std::optional<Frame> interrupted_code(StepContext& context, std::uint64_t mode, std::uint64_t lr) {
  const std::uint64_t pc = (lr - correction_of(mode, 0, *context.cpu.regs.get(kPc))) & 0xffffffff;
  if ((mode != kModeIrq && mode != kModeAbt) || context.code.is_code(GuestVirt(pc)) != true) {
    return std::nullopt;
  }
  Frame frame;
  for (RegisterIndex i = 0; i <= 12; ++i) {
    if (const auto value = context.cpu.regs.get(i)) {
      frame.regs.set(i, *value);
    }
  }
  frame.pc = GuestVirt(pc);
  frame.regs.set(kPc, pc);
  frame.found_by = FoundBy::exception;
  return frame;
}

}  // namespace

std::optional<tl::expected<Frame, TraceEnd>> leave_exception_mode(StepContext& context) {
  const RegisterFile& regs = context.cpu.regs;
  const auto cpsr = regs.get(kCpsr);
  const auto pc = regs.get(kPc);
  if (!cpsr || !pc) {
    return std::nullopt;
  }
  const std::uint64_t mode = *cpsr & kModeMask;
  const bool exception_mode = mode == kModeIrq || mode == kModeFiq || mode == kModeAbt || mode == kModeUnd;
  if (!exception_mode && !(mode == kModeSvc && in_vectors(*pc))) {
    return std::nullopt;
  }
  const auto bank = bank_of(mode);
  auto lr = regs.get(bank->lr);
  auto spsr = regs.get(*bank->spsr);
  auto r0 = regs.get(kR0);
  if (mode == kModeSvc) {  // the SVC vector: only programs make system calls, and LR is where they go on
    if (lr && spsr && (*spsr & kModeMask) == kModeUsr) {
      return tl::unexpected(user_end(*lr, regs.get(kSpUsr)));
    }
    return std::nullopt;
  }
  const StubProgress stub = stub_progress(context.memory, GuestVirt(*pc));
  bool adjusted = stub.adjusted;
  if (const auto sp = regs.get(bank->sp); stub.stored_lr && sp) {
    const auto word = [&](std::uint64_t offset) {
      const auto value = context.memory.read_value<std::uint32_t>(GuestVirt(*sp + offset));
      return value ? std::optional<std::uint64_t>(*value) : std::nullopt;
    };
    r0 = word(0);
    lr = word(4);
    spsr = stub.stored_spsr ? word(8) : spsr;
  }
  if (lr && !spsr && !adjusted) {
    if (auto frame = interrupted_code(context, mode, *lr)) {
      return std::move(*frame);
    }
  }
  if (!lr || !spsr) {
    return tl::unexpected(TraceEnd{
        EndReason::no_unwind_info, fmt::format("what {} mode interrupted is not known", context.cpu.mode), {}});
  }
  // The stub for undefined instructions adjusts nothing; its handler does.
  const bool raw = !adjusted || mode == kModeUnd;
  const std::uint64_t interrupted =
      raw ? (*lr - stub.correction.value_or(correction_of(mode, *spsr, *pc))) & 0xffffffff : *lr;
  if ((*spsr & kModeMask) == kModeUsr) {
    return tl::unexpected(user_end(interrupted, regs.get(kSpUsr)));
  }
  if (took_its_own_exception(regs)) {
    return tl::unexpected(
        TraceEnd{EndReason::no_progress, "the exception came from its own vector, again and again", {}});
  }
  const auto from = bank_of(*spsr);
  if (!from || !regs.known(from->sp)) {
    return tl::unexpected(TraceEnd{EndReason::bad_unwind_info,
                                   fmt::format("the saved PSR {:#x} of {} mode is of no mode", *spsr, context.cpu.mode),
                                   {}});
  }
  Frame frame;
  for (RegisterIndex i = 0; i <= 12; ++i) {
    const bool banked = i >= kR8 && (*spsr & kModeMask) != kModeFiq;
    if (const auto value = regs.get(banked ? static_cast<RegisterIndex>(kR8Usr + i - kR8) : i)) {
      frame.regs.set(i, *value);
    }
  }
  if (r0) {
    frame.regs.set(kR0, *r0);
  } else {
    frame.regs.forget(kR0);
  }
  frame.sp = GuestVirt(*regs.get(from->sp));
  frame.regs.set(kSp, frame.sp->value);
  if (const auto from_lr = regs.get(from->lr)) {
    frame.regs.set(kLr, *from_lr);
  }
  const bool thumb = (*spsr & kThumbBit) != 0;
  frame.pc = GuestVirt(interrupted & (thumb ? ~std::uint64_t{1} : ~std::uint64_t{0}));
  frame.regs.set(kPc, frame.pc.value | (thumb ? 1U : 0U));
  frame.found_by = FoundBy::exception;
  frame.exact = true;
  return frame;
}

}  // namespace xstack::arm32
