// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "arch/translation.h"

namespace xstack::arm64 {

/// Which half of the address space a table covers: VA bit 55 decides (Arm ARM D8.2).
enum class Half : std::uint8_t { low, high };

/// What the registers say about one half: TCR_EL1's fields for TTBR0 or TTBR1. Arm ARM D17.2.139 (TCR_EL1).
struct HalfConfig {
  bool enabled = false;           ///< EPDn clear
  unsigned granule_shift = 12;    ///< 12, 14 or 16
  unsigned va_bits = 48;          ///< 64 - TnSZ
  bool top_byte_ignored = false;  ///< TBIn
  bool wide_64k = false;          ///< 64K granule with 52-bit addresses (IPS 6): OA[51:48] in descriptor bits 15:12
  bool lpa2 = false;              ///< DS: OA[51:50] in descriptor bits 9:8
  std::uint64_t root = 0;         ///< the first table's physical address
};

/// Decodes one half from TCR and its TTBR. Nothing when TCR holds a granule or a size that the architecture does not
/// allow: no walk is possible then.
[[nodiscard]] std::optional<HalfConfig> half_config(std::uint64_t tcr, std::uint64_t ttbr, Half half);

/// 64 - T1SZ: how many bits of a kernel address are address; the rest may hold a pointer authentication code.
[[nodiscard]] unsigned kernel_va_bits(std::uint64_t tcr);

/// A kernel or user pointer without its pointer authentication code and tag: the bits above the address repeat bit 55,
/// which the code never covers. The same on a pointer that has neither.
[[nodiscard]] constexpr std::uint64_t strip_pointer(std::uint64_t pointer, unsigned va_bits) {
  const std::uint64_t above = va_bits >= 64 ? 0 : ~std::uint64_t{0} << va_bits;
  return (pointer >> 55 & 1) != 0 ? pointer | above : pointer & ~above;
}

/// VMSAv8-64 stage 1 with the values of these registers; MMU off (SCTLR.M clear) is the identity.
[[nodiscard]] std::shared_ptr<const Translation> make_translation(std::uint64_t sctlr, std::uint64_t tcr,
                                                                  std::uint64_t ttbr0, std::uint64_t ttbr1);

/// The high half only, as `half` says.
[[nodiscard]] std::shared_ptr<const Translation> make_kernel_translation(const HalfConfig& half);

/// The high half only, with `root` as its first table in place of what a TTBR says.
[[nodiscard]] std::shared_ptr<const Translation> make_kernel_translation(std::uint64_t tcr, GuestPhys root);

}  // namespace xstack::arm64
