// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/unwind.h"

#include "arch/arm64/registers.h"
#include "arch/arm64/vmsa.h"

namespace xstack::arm64 {

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
  const auto fp = callee.regs.get(kFp);
  const auto next = context.memory.read_value<std::uint64_t>(GuestVirt(fp.value_or(0)));
  const auto lr = context.memory.read_value<std::uint64_t>(GuestVirt(fp.value_or(0) + 8));
  if (!next || !lr) {
    return tl::unexpected(TraceEnd{EndReason::unreadable, {}, {}});
  }
  if (*next == 0 && *lr == 0) {
    return tl::unexpected(TraceEnd{EndReason::end_of_stack, {}, {}});
  }
  Frame frame;
  frame.regs.set(kFp, *next);
  frame.pc = GuestVirt(strip_pointer(*lr, kernel_va_bits(context.cpu.regs.get(kTcr).value_or(0))));
  frame.found_by = FoundBy::frame;
  frame.exact = false;
  return frame;
}

}  // namespace xstack::arm64
