// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/stacks.h"

#include <array>
#include <string_view>
#include <utility>

namespace xstack::x86 {
namespace {

/// The per-CPU entry areas of a 64-bit kernel (CPU_ENTRY_AREA_PGD, asm/pgtable_64_types.h): one top-level entry.
constexpr std::uint64_t kEntryAreaBegin = 0xffff'fe00'0000'0000;
constexpr std::uint64_t kEntryAreaEnd = 0xffff'fe80'0000'0000;

/// Whether a caller's frame lies on another stack than its callee's: stacks grow down, are not larger than this, and
/// have unmapped pages between them.
bool crosses(StepContext& context, const Frame& callee, const Frame& caller) {
  if (!callee.sp || !caller.sp) {
    return false;
  }
  if (*caller.sp < *callee.sp || *caller.sp - *callee.sp >= context.cpu.arch->stack_size) {
    return true;
  }
  const std::uint64_t first = callee.sp->value / kXenPageSize;
  const std::uint64_t last = (caller.sp->value - 1) / kXenPageSize;
  for (std::uint64_t page = first + 1; page < last; ++page) {
    if (!context.memory.read_value<std::uint8_t>(GuestVirt(page * kXenPageSize))) {
      return true;
    }
  }
  return false;
}

/// The stack that an exception handler of this name runs on, when it has one of its own (IST).
std::optional<std::string> exception_stack(std::string_view function) {
  static constexpr std::array<std::pair<std::string_view, const char*>, 6> kStacks = {{{"nmi", "nmi"},
                                                                                       {"double_fault", "df"},
                                                                                       {"debug", "db"},
                                                                                       {"machine_check", "mce"},
                                                                                       {"vmm_communication", "vc"},
                                                                                       {"int3", "db"}}};
  for (const auto& [part, stack] : kStacks) {
    if (function.find(part) != std::string_view::npos) {
      return stack;
    }
  }
  return std::nullopt;
}

/// The name of the stack whose outermost frame is `last`, left towards `next`.
std::optional<std::string> name_of_stack(StepContext& context, const Frame& last, const Frame& next) {
  const bool by_call = !next.exact;
  if (by_call) {
    return "irq";  // only interrupt and softirq code calls across stacks
  }
  const auto function = context.code.function_at(lookup_address(last));
  return function ? exception_stack(function->name) : std::nullopt;
}

}  // namespace

void mark_stacks(StepContext& context, std::span<Frame> frames) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i + 1 < frames.size(); ++i) {
    if (!crosses(context, frames[i], frames[i + 1])) {
      continue;
    }
    if (const auto name = name_of_stack(context, frames[i], frames[i + 1])) {
      for (Frame& frame : frames.subspan(begin, i + 1 - begin)) {
        frame.stack = name;
      }
    }
    begin = i + 1;
  }
  const bool wide = context.cpu.arch->word_size == 8;
  for (Frame& frame : frames) {
    if (wide && !frame.stack && frame.sp && frame.sp->value >= kEntryAreaBegin && frame.sp->value < kEntryAreaEnd) {
      frame.stack = "entry";
    }
  }
}

}  // namespace xstack::x86
