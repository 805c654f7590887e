// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>

#include "arch/registers.h"

namespace xstack::arm32 {

/// Positions in registers(). r0..r15 come first, so that a register number of the instruction set is its own index.
enum Reg : RegisterIndex {
  kR0 = 0,
  kR4 = 4,
  kR7 = 7,
  kR8 = 8,
  kFp = 11,
  kIp = 12,
  kSp = 13,
  kLr = 14,
  kPc = 15,
  kCpsr,
  kR8Usr,
  kSpUsr = kR8Usr + 5,
  kLrUsr,
  kSpSvc,
  kLrSvc,
  kSpsrSvc,
  kR8Fiq,
  kSpFiq = kR8Fiq + 5,
  kLrFiq,
  kSpsrFiq,
  kSpIrq,
  kLrIrq,
  kSpsrIrq,
  kSpAbt,
  kLrAbt,
  kSpsrAbt,
  kSpUnd,
  kLrUnd,
  kSpsrUnd,
  kSctlr,
  kTtbcr,
  kTtbr0,
  kTtbr1,
  kRegisterCount,
};

/// The register table: names, groups, banks, and DWARF numbers (DWARF for the ARM Architecture, IHI 0040).
[[nodiscard]] std::span<const RegisterInfo> registers();

/// PSR mode bits M[4:0] in AArch32 state (ARM DDI 0406C, B1.3.1).
enum Mode : std::uint32_t {
  kModeUsr = 0x10,
  kModeFiq = 0x11,
  kModeIrq = 0x12,
  kModeSvc = 0x13,
  kModeAbt = 0x17,
  kModeUnd = 0x1b,
  kModeSys = 0x1f,
};
inline constexpr std::uint32_t kModeMask = 0x1f;
inline constexpr std::uint32_t kThumbBit = 1U << 5;

/// The copy of sp, lr and spsr that a mode uses.
struct Bank {
  const char* mode;  ///< "SVC", ...
  const char* name;  ///< RegisterInfo::bank of its registers: SYS uses USR's
  RegisterIndex sp;
  RegisterIndex lr;
  std::optional<RegisterIndex> spsr;  ///< USR and SYS have none
};

/// The bank of the mode in `psr`, or nothing for a mode that a guest's vCPU cannot be in (HYP, MON, reserved).
[[nodiscard]] std::optional<Bank> bank_of(std::uint64_t psr);

}  // namespace xstack::arm32
