// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/apcs.h"

#include "arch/arm32/code_reader.h"
#include "arch/arm32/registers.h"

namespace xstack::arm32 {
namespace {

/// Is the code address `saved_pc`, which the prologue stored, in the function that the callee is in?
bool same_function(CodeInfo& code, std::uint32_t saved_pc, GuestVirt in_callee) {
  const auto mine = code.function_at(in_callee);
  if (!mine) {
    return true;  // without symbols the form has to do
  }
  // The stored value is 8 or 12 bytes after the push, so inside of any function that has a record.
  const auto theirs = code.function_at(GuestVirt(saved_pc - 8));
  return theirs && theirs->start == mine->start;
}

}  // namespace

std::optional<RegisterFile> caller_by_frame_record(StepContext& context, const Frame& callee) {
  const auto fp = callee.regs.get(kFp);
  if (!fp || (*fp & 3) != 0 || *fp < 0x1000) {
    return std::nullopt;
  }
  const auto word = [&](std::uint64_t at) { return context.memory.read_value<std::uint32_t>(GuestVirt(at)); };
  const auto at_fp = word(*fp);
  if (!at_fp) {
    return std::nullopt;
  }
  const auto is_code = [&](std::uint32_t value) { return context.code.is_code(GuestVirt(value & ~1U)); };
  RegisterFile regs;
  const auto gcc_lr = word(*fp - 4);
  const auto gcc_sp = word(*fp - 8);
  const auto gcc_fp = word(*fp - 12);
  if (gcc_lr && gcc_sp && gcc_fp && is_code(*at_fp) != std::optional(false) && *gcc_sp > *fp &&
      *gcc_sp - *fp <= 4 + 16) {  // [r11] is the highest word, but for r0..r3 of a function with variable arguments
    if (!same_function(context.code, *at_fp, lookup_address(callee))) {
      return std::nullopt;
    }
    regs.set(kPc, *gcc_lr);
    regs.set(kSp, *gcc_sp);
    regs.set(kFp, *gcc_fp);
    return regs;
  }
  const auto clang_lr = word(*fp + 4);
  if (clang_lr && (*at_fp > *fp || *at_fp == 0) &&
      judge_return(context.memory, context.code, *clang_lr) != ReturnAddress::no) {
    regs.set(kPc, *clang_lr);
    regs.set(kSp, *fp + 8);
    regs.set(kFp, *at_fp);
    return regs;
  }
  return std::nullopt;
}

}  // namespace xstack::arm32
