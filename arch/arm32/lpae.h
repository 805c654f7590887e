// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "arch/translation.h"

namespace xstack::arm32 {

/// The long-descriptor regime (TTBCR.EAE = 1; ARM DDI 0406C, B3.6): up to three levels, 8-byte entries.
struct LpaeRegime {
  std::uint64_t ttbr0 = 0;
  std::uint64_t ttbr1 = 0;
  unsigned t0sz = 0;  ///< 0..7
  unsigned t1sz = 0;
  bool epd0 = false;
  bool epd1 = false;  ///< walks through TTBR0 / TTBR1 are off
};

/// The base address in a TTBR for a region of 2^(32-txsz) bytes: ASID and the bits below its alignment removed.
[[nodiscard]] std::uint64_t lpae_base(std::uint64_t ttbr, unsigned txsz);

class Lpae final : public Translation {
 public:
  explicit Lpae(const LpaeRegime& regime) : regime_(regime) {}
  [[nodiscard]] tl::expected<Mapping, Fault> walk(PhysMemory& memory, GuestVirt va) const override;
  [[nodiscard]] std::string describe() const override;

 private:
  LpaeRegime regime_;
};

/// The kernel's whole level-1 table when TTBR1 names only the level-2 table of its last gigabyte, as a 3G/1G Linux
/// before TTBR0_PAN sets it up: swapper_pg_dir lies 16 KiB below (one page of level 1, three of level 2;
/// TTBR1_OFFSET in arch/arm/include/asm/pgtable-3level-hwdef.h). It is taken for that only while its fourth entry
/// points at TTBR1's table; else nothing is mapped.
class LpaeKernelLevel1 final : public Translation {
 public:
  explicit LpaeKernelLevel1(std::uint64_t ttbr1);
  [[nodiscard]] tl::expected<Mapping, Fault> walk(PhysMemory& memory, GuestVirt va) const override;
  [[nodiscard]] std::string describe() const override;

 private:
  std::uint64_t last_gigabyte_;  ///< level-2 table at 0xc0000000
  std::uint64_t root_;
  Lpae whole_;
};

}  // namespace xstack::arm32
