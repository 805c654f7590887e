// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/unwind.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "arch/arm32/apcs.h"
#include "arch/arm32/code_reader.h"
#include "arch/arm32/ehabi.h"
#include "arch/arm32/entry.h"
#include "arch/arm32/exception_mode.h"
#include "arch/arm32/prologue.h"
#include "arch/arm32/registers.h"
#include "arch/arm32/scan.h"

namespace xstack::arm32 {
namespace {

using Step = tl::expected<Frame, TraceEnd>;

tl::unexpected<TraceEnd> end(EndReason reason, std::string detail, std::optional<UserContext> user = {}) {
  return tl::unexpected(TraceEnd{reason, std::move(detail), user});
}

/// Finds the caller of one frame. Methods are asked in turn; each either gives registers that hold a believable return
/// address, or leaves a reason that is reported when all others fail too.
class Stepper {
 public:
  Stepper(StepContext& context, const Frame& callee)
      : context_(context),
        callee_(callee),
        function_(context.code.function_at(lookup_address(callee))),
        thumb_((callee.regs.get(kPc).value_or(0) & 1) != 0) {}

  Step run() {
    if (auto crossing = out_of_entry_code()) {
      return *crossing;
    }
    if (callee_.exact && context_.code.is_code(callee_.pc) == std::optional(false)) {
      // A jump to where no code is: whoever called through that pointer left LR behind.
      if (auto frame = by_link_register()) {
        return *frame;
      }
    }
    // A table says what holds in a function's body; an interrupted instruction can be anywhere in it.
    if (callee_.exact) {
      if (auto frame = by_code()) {
        return *frame;
      }
    }
    if (auto result = by_table()) {
      return *result;
    }
    if (auto result = by_frame_record()) {
      return *result;
    }
    if (callee_.exact) {
      if (auto frame = by_link_register()) {
        return *frame;
      }
    } else if (auto frame = by_code()) {
      return *frame;
    }
    return last_resort();
  }

 private:
  bool in_entry_function() const { return function_ && is_entry_function(function_->name); }

  /// The kernel's entry code: what it saved is either a user's registers or those of interrupted kernel code.
  std::optional<Step> out_of_entry_code() {
    if (!callee_.sp || !in_entry_function()) {
      return std::nullopt;
    }
    if (is_svc_entry(function_->name)) {
      if (callee_.exact && saves_later()) {
        return end(EndReason::no_unwind_info, "the interrupted registers are not all saved yet");
      }
      if (const auto regs = kernel_pt_regs_at(context_.memory, *callee_.sp)) {
        return interrupted(*regs);
      }
      return std::nullopt;
    }
    if (auto user = user_context_at(context_.memory, *callee_.sp)) {
      return end(EndReason::user_mode, {}, user);
    }
    constexpr std::uint64_t kRoom = PtRegs::kSize + kStackEndGap + 32;
    if (callee_.exact && at_stack_end(*callee_.sp, kRoom) && function_->name != "ret_from_fork") {
      return end(EndReason::user_mode, "the user's registers are not all saved yet");
    }
    return end(EndReason::end_of_stack, function_->name == "ret_from_fork" ? "a kernel thread" : "");
  }

  /// Is the instruction by which an exception entry completes the register set (`stmia r7, {r2 - r6}` of svc_entry)
  /// still to come? What is on the stack until then is of an earlier exception.
  bool saves_later() const {
    constexpr std::uint32_t kCompletes = 0xe887007c;
    const GuestVirt stop = function_->start + std::min<std::uint64_t>(function_->size, 256);
    for (GuestVirt at = callee_.pc; at < stop; at += 4) {
      if (context_.memory.read_value<std::uint32_t>(at) == kCompletes) {
        return true;
      }
    }
    return false;
  }

  Frame interrupted(const PtRegs& saved) const {
    Frame frame;
    for (RegisterIndex i = 0; i < 16; ++i) {
      frame.regs.set(i, saved.word[i]);
    }
    const bool thumb = (saved.cpsr() & kThumbBit) != 0;
    frame.regs.set(kPc, saved.pc() | (thumb ? 1U : 0U));
    frame.pc = GuestVirt(saved.pc() & (thumb ? ~1U : ~0U));
    frame.sp = GuestVirt(saved.sp());
    frame.exact = true;
    frame.found_by = sure(FoundBy::exception);
    return frame;
  }

  /// What follows from a guess is one too.
  FoundBy sure(FoundBy how) const { return callee_.found_by == FoundBy::scan ? FoundBy::scan : how; }

  Frame caller(const RegisterFile& regs, FoundBy how, ReturnAddress kind) const {
    Frame frame;
    frame.regs = regs;
    const std::uint64_t pc = *regs.get(kPc);
    frame.pc = GuestVirt(pc & ~std::uint64_t{1});
    frame.sp = GuestVirt(*regs.get(kSp));
    frame.exact = kind == ReturnAddress::by_hand && starts_entry_function(frame.pc);
    frame.found_by = sure(how);
    return frame;
  }

  /// Entry code puts its own first instruction into LR: that one is looked up as it is. The first instruction of any
  /// other function is where a call that never returns, the last of the function before, would go on.
  bool starts_entry_function(GuestVirt pc) const {
    const auto function = context_.code.function_at(pc);
    return function && function->start == pc && is_entry_function(function->name);
  }

  /// The outermost frame: what it would return to is nothing, and its stack ends there.
  std::optional<TraceEnd> outermost(const RegisterFile& regs) const {
    const std::uint64_t pc = regs.get(kPc).value_or(0);
    const auto sp = regs.get(kSp);
    if (pc == 0) {
      return TraceEnd{EndReason::end_of_stack, "the return address is 0", {}};
    }
    if (sp && at_stack_end(GuestVirt(*sp), 16)) {
      return TraceEnd{EndReason::end_of_stack, fmt::format("nothing above but the return address {:#x}", pc), {}};
    }
    return std::nullopt;
  }

  void note(EndReason reason, std::string detail) {
    if (!why_) {
      why_ = TraceEnd{reason, std::move(detail), {}};
    }
  }

  /// The function's own instructions: what they have pushed by now.
  std::optional<Step> by_code() {
    if (!function_ || thumb_ || in_entry_function() || !callee_.sp) {
      return std::nullopt;
    }
    const auto shape = shape_at(context_.memory, function_->start, callee_.pc);
    if (!shape) {
      return std::nullopt;
    }
    const auto regs = caller_by_shape(context_.memory, *shape, callee_.regs);
    if (!regs) {
      return std::nullopt;
    }
    const auto pc = static_cast<std::uint32_t>(*regs->get(kPc));
    const auto kind = judge_return(context_.memory, context_.code, pc);
    if (kind == ReturnAddress::no) {
      return std::nullopt;
    }
    if (!shape->saved[kLr]) {
      return caller(*regs, FoundBy::link_register, kind);
    }
    return caller(*regs, callee_.exact ? confirmed_by(*regs) : FoundBy::frame, kind);
  }

  /// In a function's body its table or frame record says the same as its code, and is what the frame is credited to.
  FoundBy confirmed_by(const RegisterFile& regs) {
    const auto agrees = [&](const RegisterFile& other) {
      return other.get(kPc) == regs.get(kPc) && other.get(kSp) == regs.get(kSp);
    };
    if (const auto entry = find_ehabi_entry(context_.memory, context_.tables, callee_.pc)) {
      if (const auto* opcodes = std::get_if<EhabiOpcodes>(&entry->what)) {
        const auto result = execute_ehabi(context_.memory, *opcodes, callee_.regs);
        if (result && agrees(result->regs)) {
          return FoundBy::ehabi;
        }
      }
    } else if (const auto record = caller_by_frame_record(context_, callee_); record && agrees(*record)) {
      return FoundBy::frame;
    }
    return FoundBy::link_register;
  }

  std::optional<Step> by_table() {
    const auto entry = find_ehabi_entry(context_.memory, context_.tables, lookup_address(callee_));
    if (!entry) {
      note_failure(entry.error());
      return std::nullopt;
    }
    const auto* opcodes = std::get_if<EhabiOpcodes>(&entry->what);
    if (opcodes == nullptr) {
      return cannot_unwind();
    }
    const auto result = execute_ehabi(context_.memory, *opcodes, callee_.regs);
    if (!result) {
      note_failure(result.error());
      return std::nullopt;
    }
    const RegisterFile& regs = result->regs;
    const auto pc = static_cast<std::uint32_t>(*regs.get(kPc));
    const std::uint64_t sp = *regs.get(kSp);
    if ((sp & 3) != 0 || (!result->moved_sp && callee_.sp && sp < callee_.sp->value)) {
      note(EndReason::bad_unwind_info, fmt::format("the table leads to the stack pointer {:#x}", sp));
      return std::nullopt;
    }
    if (result->popped_pc) {
      if (callee_.sp && callee_.exact && !kernel_pt_regs_at(context_.memory, *callee_.sp)) {
        note(EndReason::bad_unwind_info, "there is no saved register set where the table has one");
        return std::nullopt;
      }
      Frame frame = caller(regs, FoundBy::exception, ReturnAddress::no);
      frame.exact = true;
      return frame;
    }
    const auto kind = judge_return(context_.memory, context_.code, pc);
    // Initialisation code is freed and its memory used again: what calls from there cannot be seen any more.
    const bool may_be = context_.code.is_code(GuestVirt(pc & ~1U) - 1) == std::optional(true);
    if (kind != ReturnAddress::no || (!callee_.exact && may_be)) {
      return caller(regs, FoundBy::ehabi, kind);
    }
    if (!callee_.exact) {
      if (auto last = outermost(regs)) {
        return tl::unexpected(std::move(*last));
      }
    }
    note(EndReason::not_code, fmt::format("the return address {:#x} is not code", pc));
    return std::nullopt;
  }

  void note_failure(const EhabiFailure& failure) {
    switch (failure.kind) {
      case EhabiFailure::Kind::not_covered:
        return;
      case EhabiFailure::Kind::bad_table:
        note(EndReason::bad_unwind_info, failure.detail);
        return;
      case EhabiFailure::Kind::unreadable:
        note(EndReason::unreadable, failure.detail);
        return;
      case EhabiFailure::Kind::unknown_sp:
        note(EndReason::no_unwind_info, failure.detail);
        return;
    }
  }

  /// CANTUNWIND: entry code, whose names may not be known, or assembly that nobody annotated.
  std::optional<Step> cannot_unwind() {
    if (!callee_.exact && callee_.sp) {
      if (auto user = user_context_at(context_.memory, *callee_.sp)) {
        return end(EndReason::user_mode, {}, user);
      }
      if (at_stack_end(*callee_.sp, PtRegs::kSize + kStackEndGap + 16)) {
        return end(EndReason::end_of_stack, "the table says that nothing is above");
      }
    }
    note(EndReason::no_unwind_info, fmt::format("the table says that {:#x} cannot be unwound", callee_.pc.value));
    return std::nullopt;
  }

  std::optional<Step> by_frame_record() {
    const auto regs = caller_by_frame_record(context_, callee_);
    if (!regs) {
      return std::nullopt;
    }
    const auto pc = static_cast<std::uint32_t>(*regs->get(kPc));
    const auto kind = judge_return(context_.memory, context_.code, pc);
    const bool may_be = context_.code.is_code(GuestVirt(pc & ~1U) - 1) == std::optional(true);
    if (kind != ReturnAddress::no || may_be) {
      return caller(*regs, FoundBy::frame, kind);
    }
    if (auto last = outermost(*regs)) {
      return tl::unexpected(std::move(*last));
    }
    note(EndReason::not_code, fmt::format("the return address {:#x} is not code", pc));
    return std::nullopt;
  }

  std::optional<Step> by_link_register() {
    const auto lr = callee_.regs.get(kLr);
    if (!lr || !callee_.sp) {
      return std::nullopt;
    }
    auto kind = judge_return(context_.memory, context_.code, static_cast<std::uint32_t>(*lr));
    if (kind == ReturnAddress::no && leads_to(context_.memory, static_cast<std::uint32_t>(*lr), callee_.pc)) {
      kind = ReturnAddress::call;  // neither is known to be code, but the one was called from the other
    }
    if (kind == ReturnAddress::no) {
      return std::nullopt;
    }
    // A LR that points into the callee itself is left over from a call that it made.
    if (function_ && context_.code.is_code(callee_.pc) != std::optional(false)) {
      const auto into = context_.code.function_at(GuestVirt((*lr & ~std::uint64_t{1}) - 1));
      if (into && into->start == function_->start) {
        return std::nullopt;
      }
    }
    RegisterFile regs;
    for (RegisterIndex i = kR4; i <= kFp; ++i) {
      if (const auto value = callee_.regs.get(i)) {
        regs.set(i, *value);
      }
    }
    regs.set(kSp, callee_.sp->value);
    regs.set(kPc, *lr);
    return caller(regs, FoundBy::link_register, kind);
  }

  Step last_resort() {
    if (callee_.regs.get(kFp) == 0U && context_.tables.ehabi.empty()) {
      return end(EndReason::end_of_stack, "the chain of frame records ends");
    }
    if (auto frame = scan_for_caller(context_, callee_)) {
      return *frame;
    }
    if (why_) {
      return tl::unexpected(*why_);
    }
    return end(EndReason::no_unwind_info, fmt::format("nothing describes {:#x}", callee_.pc.value));
  }

  StepContext& context_;
  const Frame& callee_;
  std::optional<CodeSymbol> function_;
  bool thumb_;
  std::optional<TraceEnd> why_;
};

}  // namespace

Frame first_frame(const CpuState& cpu) {
  Frame frame;
  for (RegisterIndex i = 0; i < 16; ++i) {
    if (const auto value = cpu.regs.get(i)) {
      frame.regs.set(i, *value);
    }
  }
  const std::uint64_t pc = cpu.regs.get(kPc).value_or(0);
  const bool thumb = (cpu.regs.get(kCpsr).value_or(0) & kThumbBit) != 0;
  frame.pc = GuestVirt(pc & (thumb ? ~std::uint64_t{1} : ~std::uint64_t{0}));
  frame.regs.set(kPc, frame.pc.value | (thumb ? 1U : 0U));
  if (const auto sp = cpu.regs.get(kSp)) {
    frame.sp = GuestVirt(*sp);
  }
  return frame;
}

Step step(StepContext& context, const Frame& callee, unsigned depth) {
  if (depth == 0) {
    if (context.cpu.user) {
      return end(EndReason::user_mode, {}, UserContext{callee.pc, callee.sp});
    }
    if (auto interrupted = leave_exception_mode(context)) {
      return *interrupted;
    }
  }
  return Stepper(context, callee).run();
}

void mark_stacks(StepContext& context, std::span<Frame> frames) {
  std::size_t begin = 0;  // first frame of the stack that the walk is on
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto function = context.code.function_at(lookup_address(frames[i]));
    const bool irq = function && function->name == "call_with_stack";
    const bool overflow = function && function->name == "__bad_stack";
    if (!irq && !overflow) {
      continue;
    }
    for (std::size_t k = begin; k <= i; ++k) {
      frames[k].stack = irq ? "irq" : "overflow";
    }
    begin = i + 1;
  }
}

}  // namespace xstack::arm32
