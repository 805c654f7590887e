// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "base/endian.h"

namespace xstack::arm64 {

/// What the unwinder needs to know of A64 instructions (Arm ARM C4, "A64 instruction set encoding").

/// BL, BLR, BLRAA, BLRAB, BLRAAZ, BLRABZ.
[[nodiscard]] constexpr bool is_call(std::uint32_t insn) {
  return (insn & 0xfc00'0000) == 0x9400'0000 || (insn & 0xffff'fc1f) == 0xd63f'0000 ||
         (insn & 0xfeff'f800) == 0xd63f'0800;
}

/// RET, RETAA, RETAB, BR, BRAA..., ERET, ERETAA, ERETAB: control does not go on behind them.
[[nodiscard]] constexpr bool leaves(std::uint32_t insn) {
  return (insn & 0xffff'fc1f) == 0xd65f'0000 || (insn & 0xffff'fbff) == 0xd65f'0bff ||  // ret
         (insn & 0xffff'fc1f) == 0xd61f'0000 || (insn & 0xfeff'f800) == 0xd61f'0800 ||  // br
         (insn & 0xffff'f3ff) == 0xd69f'03e0 || (insn & 0xffff'fbff) == 0xd69f'0bff;    // eret
}

[[nodiscard]] constexpr bool is_eret(std::uint32_t insn) {
  return insn == 0xd69f'03e0 || (insn & 0xffff'fbff) == 0xd69f'0bff;
}

[[nodiscard]] constexpr bool is_brk(std::uint32_t insn) {
  return (insn & 0xffe0'001f) == 0xd420'0000;
}

/// B: its distance in bytes.
[[nodiscard]] constexpr std::optional<std::int64_t> branch_distance(std::uint32_t insn) {
  if ((insn & 0xfc00'0000) != 0x1400'0000) {
    return std::nullopt;
  }
  return sign_extend(insn & 0x03ff'ffff, 26) * 4;
}

/// B.cond, CBZ, CBNZ, TBZ, TBNZ: the distance of the taken branch in bytes.
[[nodiscard]] constexpr std::optional<std::int64_t> conditional_distance(std::uint32_t insn) {
  if ((insn & 0xff00'0000) == 0x5400'0000 || (insn & 0x7e00'0000) == 0x3400'0000) {
    return sign_extend(insn >> 5 & 0x7'ffff, 19) * 4;
  }
  if ((insn & 0x7e00'0000) == 0x3600'0000) {
    return sign_extend(insn >> 5 & 0x3fff, 14) * 4;
  }
  return std::nullopt;
}

/// ADD/SUB Xd, Xn, #imm: what is added.
struct AddImmediate {
  unsigned rd;
  unsigned rn;
  std::int64_t amount;
};
[[nodiscard]] constexpr std::optional<AddImmediate> add_immediate(std::uint32_t insn) {
  if ((insn & 0xbf80'0000) != 0x9100'0000) {  // either of ADD and SUB, 64 bits, no flags
    return std::nullopt;
  }
  const std::int64_t value = static_cast<std::int64_t>(insn >> 10 & 0xfff) << ((insn >> 22 & 1) != 0 ? 12 : 0);
  return AddImmediate{insn & 31, insn >> 5 & 31, (insn & 0x4000'0000) != 0 ? -value : value};
}

/// A 64-bit load or store of one or two general registers, relative to SP.
struct SpAccess {
  bool load;
  unsigned rt;
  std::optional<unsigned> rt2;  ///< the second register of a pair
  std::int64_t offset;          ///< of rt, from SP as it was before the instruction
  std::int64_t writeback;       ///< what SP changes by
};
[[nodiscard]] constexpr std::optional<SpAccess> sp_access(std::uint32_t insn) {
  constexpr unsigned kSpNumber = 31;
  if ((insn >> 5 & 31) != kSpNumber) {
    return std::nullopt;
  }
  const bool load = (insn & 0x0040'0000) != 0;
  if ((insn & 0xfe00'0000) == 0xa800'0000) {  // LDP, STP: 64 bits
    const std::int64_t imm = sign_extend(insn >> 15 & 0x7f, 7) * 8;
    const unsigned mode = insn >> 23 & 3;  // 0 no-allocate, 1 post-index, 2 offset, 3 pre-index
    return SpAccess{load, insn & 31, insn >> 10 & 31, mode == 1 ? 0 : imm, (mode & 1) != 0 ? imm : 0};
  }
  if ((insn & 0xff80'0000) == 0xf900'0000) {  // LDR, STR: unsigned offset
    return SpAccess{load, insn & 31, {}, static_cast<std::int64_t>(insn >> 10 & 0xfff) * 8, 0};
  }
  if ((insn & 0xffa0'0000) == 0xf800'0000 && (insn >> 10 & 1) != 0) {  // LDR, STR: pre- and post-index
    const std::int64_t imm = sign_extend(insn >> 12 & 0x1ff, 9);
    return SpAccess{load, insn & 31, {}, (insn >> 11 & 1) != 0 ? imm : 0, imm};
  }
  return std::nullopt;
}

inline constexpr std::uint32_t kMovX9Lr = 0xaa1e'03e9;    ///< mov x9, x30: before a call of ftrace
inline constexpr std::uint32_t kStoreX0X1 = 0xa900'07e0;  ///< stp x0, x1, [sp]: the entry code's first store

/// MSR ELR_EL1, Xt: the way out of an exception has begun.
[[nodiscard]] constexpr bool is_msr_elr(std::uint32_t insn) {
  return (insn & 0xffff'ffe0) == 0xd518'4020;
}

/// MSR TTBR1_EL1, Xt.
[[nodiscard]] constexpr bool is_msr_ttbr1(std::uint32_t insn) {
  return (insn & 0xffff'ffe0) == 0xd518'2020;
}

}  // namespace xstack::arm64
