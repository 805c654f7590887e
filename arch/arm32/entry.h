// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "arch/frame.h"
#include "base/address.h"
#include "guest/memory.h"

namespace xstack::arm32 {

/// Linux's `struct pt_regs` (arch/arm/include/asm/ptrace.h): r0..r15, cpsr, orig_r0.
struct PtRegs {
  static constexpr std::uint64_t kSize = 72;
  std::array<std::uint32_t, 18> word{};
  [[nodiscard]] std::uint32_t sp() const { return word[13]; }
  [[nodiscard]] std::uint32_t pc() const { return word[15]; }
  [[nodiscard]] std::uint32_t cpsr() const { return word[16]; }
};

/// Task stacks are this large, or twice that with KASAN (THREAD_SIZE), and aligned to it.
inline constexpr std::uint64_t kStackSize = 8192;
/// A task's stack starts this far below its end (THREAD_START_SP).
inline constexpr std::uint64_t kStackEndGap = 8;

[[nodiscard]] std::optional<PtRegs> read_pt_regs(VirtMemory& memory, GuestVirt at);

/// The user's registers that entry code left at or a little above `sp`: recognised by where they are (they end eight
/// bytes below the end of a stack) and by a CPSR of user mode with interrupts on.
[[nodiscard]] std::optional<UserContext> user_context_at(VirtMemory& memory, GuestVirt sp);

/// Is `sp` so close to the end of a stack that only a user's saved registers fit above it?
[[nodiscard]] bool at_stack_end(GuestVirt sp, std::uint64_t room);

/// The kernel registers that an exception entry (__irq_svc and its like) saved at `sp`: recognised by a CPSR of a
/// kernel mode and a stack pointer that is just above the set itself.
[[nodiscard]] std::optional<PtRegs> kernel_pt_regs_at(VirtMemory& memory, GuestVirt sp);

/// Is this one of the functions that the kernel is entered by or leaves by (arch/arm/kernel/entry-armv.S and
/// entry-common.S)? They are called by nobody: LR at their start is not a caller.
[[nodiscard]] bool is_entry_function(std::string_view name);

/// Is this one of the exception entries from kernel mode (__irq_svc, ...), which save a whole register set?
[[nodiscard]] bool is_svc_entry(std::string_view name);

}  // namespace xstack::arm32
