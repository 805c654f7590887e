// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/entry_code.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "arch/arm64/instructions.h"
#include "arch/arm64/pt_regs.h"
#include "arch/arm64/registers.h"

namespace xstack::arm64 {

namespace {

constexpr std::uint64_t kVectorSlot = 0x80;  // each of the 16 vectors
constexpr unsigned kSpNumber = 31;
constexpr unsigned kX21 = 21;

constexpr std::array<std::string_view, 9> kNames{
    "vectors",          "tramp_vectors",      "__bp_harden_el1_vectors", "ret_to_user",      "ret_to_kernel",
    "ret_fast_syscall", "finish_ret_to_user", "tramp_exit_native",       "tramp_exit_compat"};

bool is_vectors(std::string_view name) {
  return name == "vectors" || name == "tramp_vectors" || name == "__bp_harden_el1_vectors";
}

/// What has been done on the way from `from` to `pc`, read instruction by instruction: entry code is straight-line.
struct Progress {
  bool leaving = false;                     ///< ELR_EL1 was written: the saved registers are being put back
  std::int64_t taken = 0;                   ///< bytes that SP was lowered by
  std::optional<std::uint64_t> saved_size;  ///< sizeof(pt_regs), from "add x21, sp, #size"
  bool sp_is_odd = false;                   ///< in the overflow check SP holds a sum for a moment
};

Progress progress(VirtMemory& memory, GuestVirt from, GuestVirt pc) {
  constexpr std::uint64_t kMost = 4096;
  Progress done;
  for (GuestVirt at = from; at < pc && at - from < kMost; at += 4) {
    const auto insn = memory.read_value<std::uint32_t>(at);
    if (!insn) {
      break;
    }
    if (is_msr_elr(*insn)) {
      done.leaving = true;
    }
    if (const auto add = add_immediate(*insn)) {
      if (add->rd == kSpNumber && add->rn == kSpNumber) {
        done.taken -= add->amount;
      } else if (add->rd == kX21 && add->rn == kSpNumber && add->amount > 0) {
        done.saved_size = static_cast<std::uint64_t>(add->amount);
      }
    }
    if (*insn == 0x8b20'63ff) {  // add sp, sp, x0
      done.sp_is_odd = true;
    } else if (*insn == 0xcb20'63ff) {  // sub sp, sp, x0
      done.sp_is_odd = false;
    }
  }
  return done;
}

/// SP of the interrupted EL1 context, when it can be told.
std::optional<std::uint64_t> interrupted_sp(std::uint64_t sp, bool in_vectors, const Progress& done) {
  if (in_vectors) {
    return done.sp_is_odd || done.taken < 0 ? std::nullopt : std::optional(sp + static_cast<std::uint64_t>(done.taken));
  }
  if (done.leaving) {  // "add sp, sp, #size; eret" is the end of it
    return done.taken < 0 ? std::optional(sp) : std::nullopt;
  }
  return done.saved_size ? std::optional(sp + *done.saved_size) : std::nullopt;
}

/// Has x29 been made to point at pt_regs.stackframe (or, up to 4.14, is everything saved)? Then records lead on.
bool record_is_there(VirtMemory& memory, std::uint64_t sp, std::uint64_t fp) {
  const std::uint64_t above = fp - sp;
  if (above != 296 && above != 304) {
    return false;
  }
  const auto pair_fp = memory.read_value<std::uint64_t>(GuestVirt(fp));
  const auto pair_lr = memory.read_value<std::uint64_t>(GuestVirt(fp + 8));
  return pair_fp && pair_lr &&
         classify_record(memory, GuestVirt(fp), *pair_fp, *pair_lr).kind != EntryRecord::Kind::none;
}

}  // namespace

bool is_entry_code(VirtMemory& memory, const CodeSymbol& function) {
  if (!function.module.empty()) {
    return false;
  }
  if (std::ranges::find(kNames, std::string_view(function.name)) != kNames.end()) {
    return true;
  }
  // Nothing but entry code begins by storing x0 and x1 at SP without having made room first.
  for (unsigned i = 0; i < 4; ++i) {
    const auto insn = memory.read_value<std::uint32_t>(function.start + i * 4);
    if (!insn) {
      return false;
    }
    if (*insn == kStoreX0X1) {
      return true;
    }
    const auto add = add_immediate(*insn);
    const auto access = sp_access(*insn);
    if ((add && add->rd == kSpNumber) || (access && access->writeback != 0)) {
      return false;
    }
  }
  return false;
}

std::optional<tl::expected<Frame, TraceEnd>> interrupted_by_entry(StepContext& context, const Frame& frame,
                                                                  const CodeSymbol& function) {
  const RegisterFile& cpu = context.cpu.regs;
  const auto sp = frame.regs.get(kSp);
  const auto fp = frame.regs.get(kFp);
  const auto elr = cpu.get(kElrEl1);
  const auto spsr = cpu.get(kSpsrEl1);
  if (!sp || !fp || !elr || !spsr || record_is_there(context.memory, *sp, *fp)) {
    return std::nullopt;
  }
  if (is_user_pstate(*spsr)) {
    // An AArch32 program's r13 is x13, which entry code does not touch before it is saved.
    const bool compat = (*spsr & kPstateAarch32) != 0;
    std::optional<GuestVirt> user_sp;
    if (const auto value = compat ? frame.regs.get(kX0 + 13) : cpu.get(kSpEl0)) {
      user_sp = GuestVirt(compat ? *value & 0xffff'ffff : *value);
    }
    return tl::unexpected(TraceEnd{EndReason::user_mode, "on the way between user mode and the kernel",
                                   UserContext{GuestVirt(*elr), user_sp}});
  }
  const bool in_vectors = is_vectors(function.name);
  const GuestVirt from = in_vectors ? GuestVirt(frame.pc.value & ~(kVectorSlot - 1)) : function.start;
  const Progress done = progress(context.memory, from, frame.pc);

  Frame interrupted;
  interrupted.pc = GuestVirt(*elr);
  interrupted.found_by = FoundBy::exception;
  const auto saved = read_pt_regs(context.memory, GuestVirt(*sp));
  if (done.leaving && saved && saved->pc == *elr) {
    interrupted.regs = saved->registers();
    interrupted.sp = GuestVirt(saved->sp);
    return interrupted;
  }
  // x29 and x30 are as they were; others may have been used already.
  interrupted.regs.set(kFp, *fp);
  if (const auto lr = frame.regs.get(kLr)) {
    interrupted.regs.set(kLr, *lr);
  }
  interrupted.regs.set(kPc, *elr);
  if (const auto old_sp = interrupted_sp(*sp, in_vectors, done)) {
    interrupted.regs.set(kSp, *old_sp);
    interrupted.sp = GuestVirt(*old_sp);
  }
  return interrupted;
}

bool in_trampoline(StepContext& context, const Frame& frame) {
  const auto spsr = context.cpu.regs.get(kSpsrEl1);
  // The kernel runs it at an address of its own, where no symbol is; what has a name is other code that sets TTBR1.
  if (!spsr || !is_user_pstate(*spsr) || context.code.is_code(frame.pc).value_or(false) ||
      context.code.function_at(frame.pc)) {
    return false;
  }
  const GuestVirt page(frame.pc.value & ~(kXenPageSize - 1));
  for (std::uint64_t at = 0; at < kXenPageSize; at += 4) {
    const auto insn = context.memory.read_value<std::uint32_t>(page + at);
    if (!insn) {
      return false;
    }
    if (is_msr_ttbr1(*insn)) {
      return true;
    }
  }
  return false;
}

}  // namespace xstack::arm64
