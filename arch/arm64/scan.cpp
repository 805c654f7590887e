// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/scan.h"

#include <vector>

#include "arch/arm64/instructions.h"
#include "arch/arm64/registers.h"
#include "arch/arm64/vmsa.h"

namespace xstack::arm64 {

namespace {

constexpr std::uint64_t kStackSize = 16384;  // THREAD_SIZE at least, and stacks are aligned to it

}  // namespace

bool follows_call(VirtMemory& memory, GuestVirt pc) {
  const auto insn = memory.read_value<std::uint32_t>(pc - 4);
  return insn && is_call(*insn);
}

std::optional<Frame> scan_stack(StepContext& context, GuestVirt sp, unsigned va_bits) {
  if (sp.value % 8 != 0 || (sp.value >> 55 & 1) == 0) {
    return std::nullopt;
  }
  const std::uint64_t end = (sp.value | (kStackSize - 1)) + 1;
  std::uint64_t before = 0;
  for (std::uint64_t at = sp.value; at != end; at += 8) {
    const auto word = context.memory.read_value<std::uint64_t>(GuestVirt(at));
    if (!word) {
      return std::nullopt;
    }
    const GuestVirt pc(strip_pointer(*word, va_bits));
    if (pc.value % 4 == 0 && context.code.is_code(pc).value_or(false) && follows_call(context.memory, pc)) {
      Frame frame;
      frame.pc = pc;
      frame.found_by = FoundBy::scan;
      frame.exact = false;
      frame.regs.set(kPc, pc.value);
      frame.regs.set(kSp, at + 8);
      frame.sp = GuestVirt(at + 8);
      if (before > at && before < end && before % 8 == 0) {
        frame.regs.set(kFp, before);
      }
      return frame;
    }
    before = *word;
  }
  return std::nullopt;
}

}  // namespace xstack::arm64
