// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/step.h"

#include <utility>

#include "arch/x86/code_bytes.h"
#include "arch/x86/frame_pointer.h"
#include "arch/x86/leaf.h"
#include "arch/x86/orc_step.h"
#include "arch/x86/scan.h"

namespace xstack::x86 {
namespace {

/// ORC, then what helps where ORC does not; or why nothing does.
tl::expected<Step, Miss> step64(StepContext& context, const Frame& callee) {
  if (auto end = at_syscall_entry(context, callee)) {
    return Step(tl::unexpected(std::move(*end)));
  }
  if (auto frame = caller_of_stub(context, callee)) {
    return Step(std::move(*frame));
  }
  auto by_orc = step_by_orc(context, callee);
  if (by_orc) {
    // "End" at the vCPU's own instruction may only mean that nobody described this piece of assembly.
    const bool ended = !*by_orc && by_orc->error().reason == EndReason::end_of_stack;
    if (ended && callee.exact) {
      if (auto frame = caller_on_top(context, callee)) {
        return Step(std::move(*frame));
      }
    }
    return by_orc;
  }
  if (!context.tables.orc.empty()) {
    if (auto frame = caller_on_top(context, callee)) {
      return Step(std::move(*frame));
    }
  }
  auto by_frame_pointer = step_by_frame_pointer(context, callee);
  if (by_frame_pointer || context.tables.orc.empty()) {
    return by_frame_pointer;
  }
  return by_orc;
}

tl::expected<Step, Miss> step32(StepContext& context, const Frame& callee) {
  if (auto frame = caller_of_stub(context, callee)) {
    return Step(std::move(*frame));
  }
  return step_by_frame_pointer(context, callee);
}

/// An end is no surer than the frame that it follows: a reader must see that it may be another trace's.
void mark_guessed(const Frame& callee, TraceEnd& end) {
  if (callee.found_by == FoundBy::scan) {
    end.detail += end.detail.empty() ? "after a guess" : "; after a guess";
  }
}

}  // namespace

Frame first_frame(const CpuState& cpu) {
  Frame frame;
  frame.regs = cpu.regs;
  frame.pc = GuestVirt(cpu.regs.get(cpu.arch->pc).value_or(0));
  if (const auto sp = cpu.regs.get(cpu.arch->sp)) {
    frame.sp = GuestVirt(*sp);
  }
  return frame;
}

tl::expected<Frame, TraceEnd> step(StepContext& context, const Frame& callee, unsigned depth) {
  if (depth == 0 && context.cpu.user) {
    return tl::unexpected(
        TraceEnd{EndReason::user_mode, "the vCPU is in user mode", UserContext{callee.pc, callee.sp}});
  }
  auto outcome = context.cpu.arch->word_size == 8 ? step64(context, callee) : step32(context, callee);
  if (!outcome) {
    if (auto guess = scan_for_caller(context, callee)) {
      return std::move(*guess);
    }
    TraceEnd end{outcome.error().reason, std::move(outcome.error().detail), {}};
    mark_guessed(callee, end);
    return tl::unexpected(std::move(end));
  }
  Step& next = *outcome;
  if (!next) {
    mark_guessed(callee, next.error());
  }
  // What follows from a guess is one.
  if (next && callee.found_by == FoundBy::scan) {
    next->found_by = FoundBy::scan;
  }
  return std::move(next);
}

}  // namespace xstack::x86
