// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/unwind.h"

#include <fmt/format.h>

#include "arch/arm64/entry_code.h"
#include "arch/arm64/function_state.h"
#include "arch/arm64/pt_regs.h"
#include "arch/arm64/registers.h"
#include "arch/arm64/scan.h"
#include "arch/arm64/vmsa.h"

namespace xstack::arm64 {

namespace {

using Caller = tl::expected<Frame, TraceEnd>;
using Where = FunctionState::ReturnAddress;

constexpr std::uint64_t kStackSize = 16384;  // THREAD_SIZE at least; stacks are aligned to it

Caller end(EndReason reason, std::string detail) {
  return tl::unexpected(TraceEnd{reason, std::move(detail), {}});
}

UserContext user_context(const PtRegs& regs) {
  const bool compat = (regs.pstate & kPstateAarch32) != 0;
  return {GuestVirt(regs.pc), GuestVirt(compat ? regs.x[13] : regs.sp)};
}

/// How many bits of a kernel address are address.
unsigned va_bits_of(const CpuState& cpu) {
  if (const auto tcr = cpu.regs.get(kTcr); tcr && cpu.mmu_on) {
    return kernel_va_bits(*tcr);
  }
  return cpu.table_form && cpu.mmu_on ? cpu.table_form->va_bits : 64;
}

/// One step from one frame.
class Step {
 public:
  Step(StepContext& context, const Frame& callee, unsigned depth)
      : context_(context),
        callee_(callee),
        depth_(depth),
        va_bits_(va_bits_of(context.cpu)),
        function_(context.code.function_at(lookup_address(callee))) {}

  Caller run() {
    if (depth_ == 0 && in_trampoline(context_, callee_)) {
      return end_in_trampoline();
    }
    if (depth_ == 0 && function_ && is_entry_code(context_.memory, *function_)) {
      if (auto interrupted = interrupted_by_entry(context_, callee_, *function_)) {
        return std::move(*interrupted);
      }
    }
    if (callee_.exact || callee_.found_by == FoundBy::link_register) {
      if (auto caller = by_registers()) {
        return std::move(*caller);
      }
    }
    if (auto interrupted = old_exception()) {
      return std::move(*interrupted);
    }
    const auto fp = callee_.regs.get(kFp);
    if (!fp) {
      return otherwise(callee_.sp, end(EndReason::no_unwind_info, "the frame pointer is not known"));
    }
    if (*fp == 0) {
      return no_frame_pointer();
    }
    return by_record(GuestVirt(*fp), std::nullopt);
  }

 private:
  [[nodiscard]] bool kernel_address(std::uint64_t address) const {
    return !context_.cpu.mmu_on || (address >> 55 & 1) != 0;
  }

  /// Could `pc` be a return address? Code outside the kernel and its modules (BPF) counts when a call precedes it, and
  /// so does the kernel's init text, which is gone by now: start_kernel() never returns to it, but is there to return
  /// to.
  [[nodiscard]] bool plausible_return(GuestVirt pc) {
    return pc.value != 0 && pc.value % 4 == 0 && kernel_address(pc.value) &&
           (context_.code.is_code(pc - 4).value_or(true) || follows_call(context_.memory, pc) || is_init_text(pc));
  }

  [[nodiscard]] bool is_init_text(GuestVirt pc) {
    const auto begin = context_.code.address_of("_sinittext");
    const auto end = context_.code.address_of("_einittext");
    return begin && end && *begin < pc && pc <= *end;
  }

  [[nodiscard]] Frame return_frame(std::uint64_t lr, FoundBy found_by) const {
    Frame frame;
    frame.pc = GuestVirt(strip_pointer(lr, va_bits_));
    frame.found_by = callee_.found_by == FoundBy::scan ? FoundBy::scan : found_by;
    frame.exact = false;
    frame.regs.set(kPc, frame.pc.value);
    return frame;
  }

  /// The caller through x30, when it is a return address.
  std::optional<Caller> by_link_register(std::optional<std::uint64_t> sp) {
    const auto lr = callee_.regs.get(kLr);
    if (!lr) {
      return std::nullopt;
    }
    Frame frame = return_frame(*lr, FoundBy::link_register);
    if (!plausible_return(frame.pc)) {
      return std::nullopt;
    }
    if (const auto fp = callee_.regs.get(kFp)) {
      frame.regs.set(kFp, *fp);
    }
    set_sp(frame, sp);
    return frame;
  }

  static void set_sp(Frame& frame, std::optional<std::uint64_t> sp) {
    if (sp) {
      frame.regs.set(kSp, *sp);
      frame.sp = GuestVirt(*sp);
    }
  }

  /// A frame whose registers are known may be anywhere in its function: before the record was made, after it was
  /// undone, or in a function that makes none.
  std::optional<Caller> by_registers() {
    const auto sp = callee_.regs.get(kSp);
    if (callee_.exact && !context_.code.is_code(callee_.pc).value_or(true)) {
      // A jump to nowhere, by a call: nothing has happened since.
      const auto lr = callee_.regs.get(kLr);
      return lr && context_.code.is_code(GuestVirt(strip_pointer(*lr, va_bits_)) - 4).value_or(false)
                 ? by_link_register(sp)
                 : std::nullopt;
    }
    if (!function_) {
      return std::nullopt;
    }
    // Of a frame that called, the state in front of the call counts.
    const GuestVirt at = callee_.exact ? callee_.pc : callee_.pc - 4;
    const auto state = state_at(context_.memory, function_->start, function_->size, at);
    if (!state) {
      return std::nullopt;
    }
    std::optional<std::uint64_t> entry_sp;
    if (sp && state->depth) {
      entry_sp = *sp + static_cast<std::uint64_t>(*state->depth);
    }
    if (state->where == Where::live && callee_.exact) {
      return by_link_register(entry_sp);
    }
    if (state->where != Where::saved) {
      return std::nullopt;
    }
    const auto record_depth = static_cast<std::uint64_t>(state->record_depth);
    if (state->fp_is_record) {
      const auto fp = callee_.regs.get(kFp);
      return fp ? std::optional(by_record(GuestVirt(*fp), *fp + record_depth)) : std::nullopt;
    }
    if (!entry_sp) {
      return std::nullopt;
    }
    const GuestVirt saved(*entry_sp - record_depth);
    return state->fp_saved ? by_record(saved, entry_sp) : by_saved_lr(saved, *entry_sp);
  }

  /// The return address alone was saved, x29 was left as it was.
  std::optional<Caller> by_saved_lr(GuestVirt at, std::uint64_t entry_sp) {
    const auto lr = context_.memory.read_value<std::uint64_t>(at);
    const auto fp = callee_.regs.get(kFp);
    if (!lr || !fp) {
      return std::nullopt;
    }
    Frame frame = return_frame(*lr, FoundBy::frame);
    if (!plausible_return(frame.pc)) {
      return std::nullopt;
    }
    frame.regs.set(kFp, *fp);
    set_sp(frame, entry_sp);
    return frame;
  }

  [[nodiscard]] Frame interrupted_frame(const PtRegs& regs) const {
    Frame frame;
    frame.regs = regs.registers();
    frame.pc = GuestVirt(regs.pc);
    frame.sp = GuestVirt(regs.sp);
    frame.found_by = callee_.found_by == FoundBy::scan ? FoundBy::scan : FoundBy::exception;
    return frame;
  }

  /// Kernels up to 4.14: entry code leaves x29 as the interrupted function had it.
  std::optional<Caller> old_exception() {
    const auto fp = callee_.regs.get(kFp);
    if (callee_.exact || !fp || !function_ || !function_->name.starts_with("el1") ||
        !is_entry_code(context_.memory, *function_)) {
      return std::nullopt;
    }
    const auto next = context_.memory.read_value<std::uint64_t>(GuestVirt(*fp));
    const auto lr = context_.memory.read_value<std::uint64_t>(GuestVirt(*fp + 8));
    if (next && lr && classify_record(context_.memory, GuestVirt(*fp), *next, *lr).kind != EntryRecord::Kind::none) {
      return std::nullopt;
    }
    if (const auto regs = find_pt_regs_below(context_.memory, *fp)) {
      return interrupted_frame(*regs);
    }
    return std::nullopt;
  }

  Caller by_record(GuestVirt record, std::optional<std::uint64_t> caller_sp) {
    if (record.value % 8 != 0 || !kernel_address(record.value)) {
      return otherwise(callee_.sp, end(EndReason::bad_unwind_info,
                                       fmt::format("the frame pointer {:#x} is no stack address", record.value)));
    }
    const auto fp = context_.memory.read_value<std::uint64_t>(record);
    const auto lr = context_.memory.read_value<std::uint64_t>(record + 8);
    if (!fp || !lr) {
      return otherwise(callee_.sp,
                       end(EndReason::unreadable, fmt::format("the frame record at {:#x} is not readable: {}",
                                                              record.value, describe(fp ? lr.error() : fp.error()))));
    }
    const EntryRecord entry = classify_record(context_.memory, record, *fp, *lr);
    switch (entry.kind) {
      case EntryRecord::Kind::exception:
        return interrupted_frame(*entry.regs);
      case EntryRecord::Kind::user:
        return tl::unexpected(TraceEnd{EndReason::user_mode, {}, user_context(*entry.regs)});
      case EntryRecord::Kind::final:
        return end(EndReason::end_of_stack, "the final frame record");
      case EntryRecord::Kind::none:
        break;
    }
    if (*fp != 0 && *fp <= record.value && *fp / kStackSize == record.value / kStackSize) {
      return end(EndReason::no_progress,
                 fmt::format("the frame record at {:#x} leads back to {:#x}", record.value, *fp));
    }
    Frame frame = return_frame(*lr, FoundBy::frame);
    if (!plausible_return(frame.pc)) {
      return otherwise(record + 16, end(EndReason::not_code, fmt::format("{:#x}, from the frame record at {:#x}",
                                                                         frame.pc.value, record.value)));
    }
    frame.regs.set(kFp, *fp);
    set_sp(frame, caller_sp);
    return frame;
  }

  [[nodiscard]] Caller end_in_trampoline() const {
    TraceEnd user{EndReason::user_mode, "in the trampoline between user mode and the kernel", {}};
    const auto& regs = context_.cpu.regs;
    const bool compat = (regs.get(kSpsrEl1).value_or(0) & kPstateAarch32) != 0;
    const auto pc = regs.get(kElrEl1);
    const auto sp = compat ? callee_.regs.get(13) : regs.get(kSpEl0);
    if (pc && sp) {
      user.user = UserContext{GuestVirt(*pc), GuestVirt(*sp)};
    }
    return tl::unexpected(std::move(user));
  }

  /// Up to 4.14, entry from user mode and new threads begin with x29 zero.
  Caller no_frame_pointer() {
    if (function_ && function_->name.starts_with("el0_")) {
      return end(EndReason::user_mode, "the frame pointer is zero in the entry code");
    }
    if (callee_.exact) {
      return otherwise(callee_.sp, end(EndReason::no_unwind_info, "the frame pointer is zero"));
    }
    return end(EndReason::end_of_stack, "the frame pointer is zero");
  }

  /// The last resort: what the stack shows from `from` on, as a guess; else `why`.
  Caller otherwise(std::optional<GuestVirt> from, Caller why) {
    if (context_.scan_allowed && from) {
      if (auto frame = scan_stack(context_, *from, va_bits_)) {
        return std::move(*frame);
      }
    }
    return why;
  }

  StepContext& context_;
  const Frame& callee_;
  unsigned depth_;
  unsigned va_bits_;
  std::optional<CodeSymbol> function_;
};

}  // namespace

Frame first_frame(const CpuState& cpu) {
  Frame frame;
  for (RegisterIndex i = 0; i <= kPc; ++i) {
    if (const auto value = cpu.regs.get(i)) {
      frame.regs.set(i, *value);
    }
  }
  frame.pc = GuestVirt(cpu.regs.get(kPc).value_or(0));
  if (const auto sp = cpu.regs.get(kSp)) {
    frame.sp = GuestVirt(*sp);
  }
  return frame;
}

tl::expected<Frame, TraceEnd> step(StepContext& context, const Frame& callee, unsigned depth) {
  if (depth == 0 && context.cpu.user) {
    return tl::unexpected(TraceEnd{EndReason::user_mode, {}, UserContext{callee.pc, callee.sp}});
  }
  return Step(context, callee, depth).run();
}

}  // namespace xstack::arm64
