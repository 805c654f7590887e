// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/entry.h"

#include <algorithm>
#include <array>
#include <span>

#include "arch/arm32/registers.h"

namespace xstack::arm32 {
namespace {

constexpr std::array<std::string_view, 33> kEntryFunctions{"__dabt_usr",
                                                           "__fiq_usr",
                                                           "__irq_usr",
                                                           "__pabt_usr",
                                                           "__und_usr",
                                                           "__und_usr_fault_32",
                                                           "__und_usr_thumb",
                                                           "__ret_fast_syscall",
                                                           "ret_fast_syscall",
                                                           "ret_slow_syscall",
                                                           "ret_from_fork",
                                                           "ret_from_exception",
                                                           "ret_to_user",
                                                           "ret_to_user_from_irq",
                                                           "no_work_pending",
                                                           "slow_work_pending",
                                                           "fast_work_pending",
                                                           "work_pending",
                                                           "vector_swi",
                                                           "local_restart",
                                                           "__sys_trace",
                                                           "__sys_trace_return",
                                                           "__sys_trace_return_nosave",
                                                           "invoke_syscall",
                                                           "__dabt_svc",
                                                           "__irq_svc",
                                                           "__pabt_svc",
                                                           "__und_svc",
                                                           "__fiq_svc",
                                                           "__fiq_abt",
                                                           "__und_svc_finish",
                                                           "vector_bhb_loop8_swi",
                                                           "vector_bhb_bpiall_swi"};

}  // namespace

std::optional<PtRegs> read_pt_regs(VirtMemory& memory, GuestVirt at) {
  PtRegs regs;
  std::array<std::byte, PtRegs::kSize> bytes{};
  if ((at.value & 3) != 0 || !memory.read(at, bytes)) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < regs.word.size(); ++i) {
    regs.word[i] = load_le<std::uint32_t>(bytes.data() + i * 4);
  }
  return regs;
}

bool at_stack_end(GuestVirt sp, std::uint64_t room) {
  return kStackSize - 1 - (sp.value - 1) % kStackSize <= room;
}

std::optional<UserContext> user_context_at(VirtMemory& memory, GuestVirt sp) {
  constexpr std::uint64_t kFromEnd = PtRegs::kSize + kStackEndGap;
  const std::uint64_t end = (sp.value / kStackSize + 1) * kStackSize;
  const GuestVirt at(end - kFromEnd);
  // Between sp and the registers lie at most a system call's fifth and sixth argument and alignment.
  if (sp > at || at - sp > 16) {
    return std::nullopt;
  }
  const auto regs = read_pt_regs(memory, at);
  constexpr std::uint32_t kMasked = 0xc0;  // I and F
  if (!regs || (regs->cpsr() & kModeMask) != kModeUsr || (regs->cpsr() & kMasked) != 0) {
    return std::nullopt;
  }
  return UserContext{GuestVirt(regs->pc()), GuestVirt(regs->sp())};
}

std::optional<PtRegs> kernel_pt_regs_at(VirtMemory& memory, GuestVirt sp) {
  const auto regs = read_pt_regs(memory, sp);
  if (!regs) {
    return std::nullopt;
  }
  const std::uint32_t mode = regs->cpsr() & kModeMask;
  // `struct svc_pt_regs` adds two words, alignment one, and __und_svc leaves 64 bytes for a probed instruction's push.
  constexpr std::uint64_t kMost = PtRegs::kSize + 8 + 4 + 64;
  const std::uint64_t above = regs->sp() - sp.value;
  if (mode != kModeSvc || above < PtRegs::kSize || above > kMost) {
    return std::nullopt;
  }
  return regs;
}

bool is_entry_function(std::string_view name) {
  return std::find(kEntryFunctions.begin(), kEntryFunctions.end(), name) != kEntryFunctions.end();
}

bool is_svc_entry(std::string_view name) {
  return is_entry_function(name) && name.size() > 4 && name.substr(name.size() - 4) == "_svc";
}

}  // namespace xstack::arm32
