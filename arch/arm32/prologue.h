// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "arch/arch.h"

namespace xstack::arm32 {

/// Where a function's caller is to be found at one of its instructions, derived from the code itself. "Entry SP" is the
/// stack pointer as it was at the function's first instruction, which is the caller's.
struct FrameShape {
  std::optional<std::int64_t> sp;  ///< entry SP minus SP, when it is known
  std::optional<std::int64_t> fp;  ///< entry SP minus r11, when r11 is used as frame pointer
  std::optional<std::int64_t> ip;  ///< entry SP minus r12, between `mov ip, sp` and its use
  /// Entry SP minus the address of the saved copy, for r4..r11 and lr; absent: still in the register.
  std::array<std::optional<std::int64_t>, 16> saved{};
  bool lr_lost = false;  ///< LR was overwritten before it was saved
  friend bool operator==(const FrameShape&, const FrameShape&) = default;
};

/// Follows the ARM instructions from `start` to `pc`, which has not been executed yet, and says what the stack looks
/// like there. Forward branches are followed by remembering the state for their targets; loops do not change it in
/// compiled code. Nothing when the code cannot be read, is longer than 16 KiB, or does something with the stack that
/// cannot be followed.
[[nodiscard]] std::optional<FrameShape> shape_at(VirtMemory& memory, GuestVirt start, GuestVirt pc);

/// The caller's registers by `shape`; `callee` gives sp, r11, lr as the shape needs them. Nothing when a needed
/// register is not known or the stack cannot be read.
[[nodiscard]] std::optional<RegisterFile> caller_by_shape(VirtMemory& memory, const FrameShape& shape,
                                                          const RegisterFile& callee);

}  // namespace xstack::arm32
