// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/stacks.h"

#include <string>

#include "arch/arm64/registers.h"

namespace xstack::arm64 {

namespace {

constexpr std::uint64_t kStackSize = 16384;  // THREAD_SIZE at least; stacks are aligned to it

/// Where a frame's stack is: the first frame's SP, the others' frame records.
std::optional<std::uint64_t> place(const Frame& frame, bool first) {
  if ((first || frame.found_by == FoundBy::exception) && frame.sp) {
    return frame.sp->value;
  }
  const auto fp = frame.regs.get(kFp);
  return fp && *fp != 0 ? fp : std::nullopt;
}

/// A chain that goes down, or further up than a stack is large, has left its stack.
bool same_stack(std::uint64_t inner, std::uint64_t outer) {
  return inner / kStackSize == outer / kStackSize || (outer > inner && outer - inner < kStackSize);
}

/// What the stack on which `frame` is the outermost is for, by who switched to it.
std::string name_of(StepContext& context, const Frame& frame) {
  const auto function = context.code.function_at(lookup_address(frame));
  if (function && function->module.empty()) {
    if (function->name.find("bad_stack") != std::string::npos) {
      return "overflow";
    }
    if (function->name.find("sdei") != std::string::npos) {
      return "sdei";
    }
  }
  return "irq";
}

}  // namespace

void mark_stacks(StepContext& context, std::span<Frame> frames) {
  std::size_t begin = 0;  // of the frames on the stack at hand
  std::optional<std::uint64_t> here;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto next = place(frames[i], i == 0);
    if (here && next && !same_stack(*here, *next)) {
      const std::string name = name_of(context, frames[i - 1]);
      for (; begin < i; ++begin) {
        frames[begin].stack = name;
      }
    }
    if (next) {
      here = next;
    }
  }
}

}  // namespace xstack::arm64
