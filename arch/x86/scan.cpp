// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/scan.h"

#include <array>

#include "arch/x86/code_bytes.h"
#include "base/endian.h"

namespace xstack::x86 {
namespace {

constexpr unsigned kMaxCandidates = 64;

}  // namespace

std::optional<Frame> scan_for_caller(StepContext& context, const Frame& callee) {
  const ArchOps& arch = *context.cpu.arch;
  const auto sp = stack_pointer(context, callee);
  if (!sp || !context.scan_allowed) {
    return std::nullopt;
  }
  const auto function = context.code.function_at(lookup_address(callee));
  const GuestVirt begin((sp->value + arch.word_size - 1) & ~(std::uint64_t{arch.word_size} - 1));
  // Stacks are aligned to their size: a scan does not leave the one it is on.
  const GuestVirt end((begin.value | (arch.stack_size - 1)) + 1);
  std::optional<Frame> first;
  unsigned candidates = 0;
  for (GuestVirt at = begin; at < end && candidates < kMaxCandidates; at += arch.word_size) {
    const auto word = context.memory.read_word(at, arch.word_size);
    if (!word) {
      break;
    }
    const GuestVirt pc(*word);
    const auto site = return_address(context.memory, context.code, pc, arch.word_size);
    if (!site) {
      continue;
    }
    const auto caller = context.code.function_at(pc - 1);
    if (caller && is_thunk(caller->name)) {
      continue;
    }
    ++candidates;
    Frame frame = returned_frame(context, pc, at + arch.word_size, std::nullopt, FoundBy::scan);
    if (function && site->target == function->start) {
      return frame;
    }
    if (!first) {
      first = std::move(frame);
    }
  }
  return first;
}

}  // namespace xstack::x86
