// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/orc_step.h"

#include <fmt/format.h>

#include "arch/x86/code_bytes.h"
#include "arch/x86/orc.h"
#include "arch/x86/registers.h"

namespace xstack::x86 {
namespace {

tl::unexpected<Miss> miss(EndReason reason, std::string detail) {
  return tl::unexpected(Miss{reason, std::move(detail)});
}

tl::unexpected<Miss> unreadable(const char* what, GuestVirt at, const Fault& fault) {
  return miss(EndReason::unreadable, fmt::format("{} at {:#x}: {}", what, at.value, describe(fault)));
}

/// The stack pointer of the caller, or the address of what was saved.
tl::expected<GuestVirt, Miss> base_value(StepContext& context, const Frame& callee, const OrcEntry& entry) {
  const auto offset = static_cast<std::uint64_t>(std::int64_t{entry.sp_offset});
  const auto of = [&](RegisterIndex index, const char* name, std::uint64_t add) -> tl::expected<GuestVirt, Miss> {
    const auto value = index == kRsp && callee.sp ? std::optional(callee.sp->value) : callee.regs.get(index);
    if (!value) {
      return miss(EndReason::no_unwind_info, fmt::format("ORC asks for {}, which is not known in this frame", name));
    }
    return GuestVirt(*value + add);
  };
  const auto indirect = [&](tl::expected<GuestVirt, Miss> at, std::uint64_t add) -> tl::expected<GuestVirt, Miss> {
    if (!at) {
      return at;
    }
    const auto value = context.memory.read_value<std::uint64_t>(*at);
    if (!value) {
      return unreadable("the word that ORC points to", *at, value.error());
    }
    return GuestVirt(*value + add);
  };
  switch (entry.sp_base) {
    case OrcBase::sp:
      return of(kRsp, "rsp", offset);
    case OrcBase::bp:
      return of(kRbp, "rbp", offset);
    case OrcBase::sp_indirect:
      return entry.offset_before ? indirect(of(kRsp, "rsp", offset), 0) : indirect(of(kRsp, "rsp", 0), offset);
    case OrcBase::bp_indirect:
      return indirect(of(kRbp, "rbp", offset), 0);
    // Realigned stacks keep the caller's stack pointer in a register; the kernel's unwinder adds no offset there.
    case OrcBase::ax:
      return of(kRax, "rax", 0);
    case OrcBase::dx:
      return of(kRdx, "rdx", 0);
    case OrcBase::di:
      return of(kRdi, "rdi", 0);
    case OrcBase::r10:
      return of(kR10, "r10", 0);
    case OrcBase::r13:
      return of(kR13, "r13", 0);
    case OrcBase::undefined:
    case OrcBase::prev_sp:
      break;
  }
  return miss(EndReason::bad_unwind_info, "the ORC entry has no base for the stack pointer");
}

/// rbp in the caller; absent when not known.
std::optional<std::uint64_t> caller_bp(StepContext& context, const Frame& callee, const OrcEntry& entry, GuestVirt sp) {
  const auto offset = static_cast<std::uint64_t>(std::int64_t{entry.bp_offset});
  const auto bp = callee.regs.get(kRbp);
  std::optional<GuestVirt> at;
  if (entry.bp_base == OrcBase::undefined) {
    return bp;
  }
  if (entry.bp_base == OrcBase::prev_sp) {
    at = sp + offset;
  } else if (entry.bp_base == OrcBase::bp && bp) {
    at = GuestVirt(*bp + offset);
  }
  if (!at) {
    return std::nullopt;
  }
  const auto value = context.memory.read_value<std::uint64_t>(*at);
  return value ? std::optional(*value) : std::nullopt;
}

tl::expected<Step, Miss> step_call(StepContext& context, const Frame& callee, const OrcEntry& entry, GuestVirt sp) {
  const bool same_stack = entry.sp_base == OrcBase::sp;
  if (sp.value % 8 != 0 || (same_stack && callee.sp && sp <= *callee.sp)) {
    return miss(EndReason::bad_unwind_info, fmt::format("ORC gives the impossible stack pointer {:#x}", sp.value));
  }
  const auto word = context.memory.read_value<std::uint64_t>(sp - 8);
  if (!word) {
    return unreadable("the return address", sp - 8, word.error());
  }
  const GuestVirt pc(*word);
  // Code that no symbol table covers (BPF programs, trampolines) is told by the call before the return address.
  if (context.code.is_code(pc - 1) == false && !return_address(context.memory, context.code, pc, 8)) {
    return miss(EndReason::not_code,
                fmt::format("the word at {:#x} should be a return address: {:#x}", (sp - 8).value, pc.value));
  }
  Frame frame = returned_frame(context, pc, sp, caller_bp(context, callee, entry, sp), FoundBy::orc);
  frame.exact = entry.signal;
  return Step(std::move(frame));
}

tl::expected<Step, Miss> step_regs(StepContext& context, const Frame& callee, const OrcEntry& entry, GuestVirt at) {
  const bool whole = entry.kind == OrcKind::regs;
  auto saved = whole ? read_pt_regs(context.memory, at, 8) : read_iret_frame(context.memory, at);
  if (!saved) {
    return unreadable("saved registers", at, saved.error());
  }
  if (!*saved) {
    return miss(EndReason::bad_unwind_info, fmt::format("no saved registers at {:#x}, where ORC has them", at.value));
  }
  Interrupted& regs = **saved;
  if (!whole) {
    if (callee.exact) {
      // The entry code has not touched the general registers yet: they are the interrupted code's.
      for (RegisterIndex i = kRax; i <= kR15; ++i) {
        if (const auto value = callee.regs.get(i); value && i != kRsp) {
          regs.regs.set(i, *value);
        }
      }
    } else if (const auto bp = callee.regs.get(kRbp)) {
      regs.regs.set(kRbp, *bp);
    }
  }
  Step step = resume_at(regs);
  if (step) {
    step->exact = entry.signal;
  }
  return step;
}

}  // namespace

tl::expected<Step, Miss> step_by_orc(StepContext& context, const Frame& callee) {
  if (context.tables.orc.empty()) {
    return miss(EndReason::no_unwind_info, "the guest's ORC tables were not found");
  }
  const GuestVirt address = lookup_address(callee);
  const auto hit = lookup_orc(context.memory, context.tables, address);
  if (!hit) {
    return unreadable("the ORC table", address, hit.error());
  }
  if (!*hit) {
    return miss(EndReason::no_unwind_info, fmt::format("no ORC table covers {:#x}", address.value));
  }
  const auto entry = decode_orc((*hit)->bytes, context.tables.orc_layout);
  if (!entry) {
    return miss(EndReason::bad_unwind_info, fmt::format("the ORC entry for {:#x} has no meaning", address.value));
  }
  if (entry->kind == OrcKind::end) {
    return Step(tl::unexpected(TraceEnd{EndReason::end_of_stack, {}, {}}));
  }
  if (entry->kind == OrcKind::undefined) {
    return miss(EndReason::no_unwind_info, fmt::format("ORC has no rule for {:#x}", address.value));
  }
  const auto base = base_value(context, callee, *entry);
  if (!base) {
    return tl::unexpected(base.error());
  }
  return entry->kind == OrcKind::call ? step_call(context, callee, *entry, *base)
                                      : step_regs(context, callee, *entry, *base);
}

}  // namespace xstack::x86
