// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>

#include "arch/registers.h"

namespace xstack::x86 {

/// Positions in the register table of a 64-bit guest. The first seventeen are what a frame can know.
enum R64 : RegisterIndex {
  kRax,
  kRbx,
  kRcx,
  kRdx,
  kRsi,
  kRdi,
  kRbp,
  kRsp,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15,
  kRip,
  kRflags,
  kCs,
  kSs,
  kDs,
  kEs,
  kFs,
  kGs,
  kFsBase,
  kGsBaseKernel,
  kGsBaseUser,
  kCr0,
  kCr2,
  kCr3,
  kCr4,
  kCr3User,  ///< PV only: the root in use while user code runs (ctrlreg[1])
  kEfer,
  kDr0,
  kDr1,
  kDr2,
  kDr3,
  kDr6,
  kDr7,
  kLstar,
  kIdtrBase,
  kGdtrBase,
  kTrBase,
  kR64Count,
};

/// The same for a 32-bit guest.
enum R32 : RegisterIndex {
  kEax,
  kEbx,
  kEcx,
  kEdx,
  kEsi,
  kEdi,
  kEbp,
  kEsp,
  kEip,
  kEflags,
  kCs32,
  kSs32,
  kDs32,
  kEs32,
  kFs32,
  kGs32,
  kCr0x32,
  kCr2x32,
  kCr3x32,
  kCr4x32,
  kEferx32,
  kDr0x32,
  kDr1x32,
  kDr2x32,
  kDr3x32,
  kDr6x32,
  kDr7x32,
  kIdtrBase32,
  kGdtrBase32,
  kTrBase32,
  kR32Count,
};

[[nodiscard]] std::span<const RegisterInfo> registers64();
[[nodiscard]] std::span<const RegisterInfo> registers32();

}  // namespace xstack::x86
