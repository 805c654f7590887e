// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/leaf.h"

#include <array>

#include "arch/x86/code_bytes.h"
#include "arch/x86/registers.h"
#include "base/checked.h"

namespace xstack::x86 {
namespace {

constexpr std::uint64_t kStubSize = 32;  // of one entry in Xen's hypercall page

std::optional<Frame> return_at(StepContext& context, const Frame& callee, GuestVirt at) {
  const ArchOps& arch = *context.cpu.arch;
  const auto word = context.memory.read_word(at, arch.word_size);
  if (!word || !return_address(context.memory, context.code, GuestVirt(*word), arch.word_size)) {
    return std::nullopt;
  }
  return returned_frame(context, GuestVirt(*word), at + arch.word_size, callee.regs.get(arch.fp),
                        FoundBy::link_register);
}

std::optional<Frame> caller_of_thunk(StepContext& context, const Frame& callee, GuestVirt sp) {
  // A thunk may itself have called on (srso_return_thunk) or have put its target on the stack (a retpoline about to
  // return to it): the caller is the first return address that is not the thunks' own.
  constexpr unsigned kWords = 3;
  for (unsigned i = 0; i < kWords; ++i) {
    auto frame = return_at(context, callee, sp + std::uint64_t{i} * context.cpu.arch->word_size);
    if (!frame) {
      continue;
    }
    const auto function = context.code.function_at(frame->pc - 1);
    if (!function || !is_thunk(function->name)) {
      return frame;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Frame> caller_of_stub(StepContext& context, const Frame& callee) {
  const auto sp = stack_pointer(context, callee);
  const auto function = callee.exact ? context.code.function_at(callee.pc) : std::nullopt;
  if (!sp || !function) {
    return std::nullopt;
  }
  if (is_thunk(function->name)) {
    return caller_of_thunk(context, callee, *sp);
  }
  const bool page = function->name == "hypercall_page";
  if (!page && !function->name.starts_with("xen_hypercall_")) {
    return std::nullopt;
  }
  const GuestVirt begin = page ? GuestVirt(callee.pc.value & ~(kStubSize - 1)) : function->start;
  if (callee.pc < begin || callee.pc - begin > kStubSize) {
    return std::nullopt;
  }
  std::array<std::byte, kStubSize> bytes{};
  const auto code = std::span(bytes).first(at_most(bytes.size(), callee.pc - begin));
  if (!code.empty() && !context.memory.read(begin, code)) {
    return std::nullopt;
  }
  const auto pushed = stub_words_pushed(code);
  if (!pushed) {
    return std::nullopt;
  }
  return return_at(context, callee, *sp + std::uint64_t{*pushed} * context.cpu.arch->word_size);
}

std::optional<Frame> caller_on_top(StepContext& context, const Frame& callee) {
  const auto sp = stack_pointer(context, callee);
  if (!callee.exact || !sp) {
    return std::nullopt;
  }
  auto frame = return_at(context, callee, *sp);
  if (!frame) {
    return std::nullopt;
  }
  const auto function = context.code.function_at(callee.pc);
  const auto site = call_before(context.memory, frame->pc, context.cpu.arch->word_size);
  if (context.code.is_code(callee.pc) == false) {
    return frame;
  }
  const bool called_here =
      function && site && (site->target ? *site->target == function->start : callee.pc == function->start);
  return called_here ? frame : std::nullopt;
}

std::optional<TraceEnd> at_syscall_entry(StepContext& context, const Frame& callee) {
  const auto sp = stack_pointer(context, callee);
  const auto user_pc = callee.regs.get(kRcx);
  if (!callee.exact || !sp || sp->value >> 63 != 0 || !user_pc || *user_pc >> 63 != 0) {
    return std::nullopt;
  }
  const auto function = context.code.function_at(callee.pc);
  if (!function || function->name != "entry_SYSCALL_64") {
    return std::nullopt;
  }
  return TraceEnd{EndReason::user_mode, "in the first instructions of a system call",
                  UserContext{GuestVirt(*user_pc), *sp}};
}

}  // namespace xstack::x86
