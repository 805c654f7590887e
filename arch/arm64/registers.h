// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>

#include "arch/registers.h"

namespace xstack::arm64 {

/// Positions in the register table. x0..x30 are 0..30.
inline constexpr RegisterIndex kX0 = 0;
inline constexpr RegisterIndex kFp = 29;
inline constexpr RegisterIndex kLr = 30;
inline constexpr RegisterIndex kSp = 31;  ///< the live one, chosen by mode
inline constexpr RegisterIndex kPc = 32;
inline constexpr RegisterIndex kPstate = 33;
inline constexpr RegisterIndex kSpEl0 = 34;
inline constexpr RegisterIndex kSpEl1 = 35;
inline constexpr RegisterIndex kElrEl1 = 36;
inline constexpr RegisterIndex kSpsrEl1 = 37;
inline constexpr RegisterIndex kSctlr = 38;
inline constexpr RegisterIndex kTcr = 39;
inline constexpr RegisterIndex kTtbr0 = 40;
inline constexpr RegisterIndex kTtbr1 = 41;

/// PSTATE as Xen and pt_regs hold it (SPSR layout, Arm ARM C5.2.19).
inline constexpr std::uint64_t kPstateAarch32 = 0x10;
inline constexpr std::uint64_t kPstateModeMask = 0x1f;
inline constexpr std::uint64_t kModeEl0t = 0x0;
inline constexpr std::uint64_t kModeEl1t = 0x4;
inline constexpr std::uint64_t kModeEl1h = 0x5;

/// Does this saved PSTATE say user mode: EL0t, or AArch32 USR?
[[nodiscard]] constexpr bool is_user_pstate(std::uint64_t pstate) {
  return (pstate & kPstateModeMask) == kModeEl0t || (pstate & kPstateModeMask) == kPstateAarch32;
}

/// The table, in the order of the positions above.
[[nodiscard]] std::span<const RegisterInfo> register_table();

}  // namespace xstack::arm64
