// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/scan.h"

#include <array>

#include "arch/arm32/code_reader.h"
#include "arch/arm32/entry.h"
#include "arch/arm32/registers.h"

namespace xstack::arm32 {
namespace {

Frame guess(std::uint32_t word, std::uint64_t at) {
  Frame frame;
  frame.pc = GuestVirt(word & ~1U);
  frame.sp = GuestVirt(at + 4);
  frame.regs.set(kPc, word);
  frame.regs.set(kSp, at + 4);
  frame.found_by = FoundBy::scan;
  frame.exact = false;
  return frame;
}

}  // namespace

std::optional<Frame> scan_for_caller(StepContext& context, const Frame& callee) {
  if (!context.scan_allowed || !callee.sp || (callee.sp->value & 3) != 0) {
    return std::nullopt;
  }
  const auto function = context.code.function_at(lookup_address(callee));
  const std::uint64_t end = (callee.sp->value / kStackSize + 1) * kStackSize;
  std::optional<Frame> first;  // of those that may have called any function
  for (std::uint64_t at = callee.sp->value; at < end; at += 4) {
    const auto word = context.memory.read_value<std::uint32_t>(GuestVirt(at));
    if (!word) {
      break;
    }
    // Without knowing what is code, any number would do: then there is nothing to guess from.
    if (context.code.is_code(GuestVirt(*word & ~1U)) != std::optional(true)) {
      continue;
    }
    const auto site = call_before(context.memory, *word);
    if (!site) {
      continue;
    }
    if (function && site->target) {
      if (*site->target == function->start) {
        return guess(*word, at);
      }
    } else if (!first) {
      first = guess(*word, at);
    }
  }
  return first;
}

}  // namespace xstack::arm32
