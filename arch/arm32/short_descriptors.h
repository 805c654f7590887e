// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "arch/translation.h"

namespace xstack::arm32 {

/// The short-descriptor regime (TTBCR.EAE = 0; ARM DDI 0406C, B3.5): two levels, 4-byte entries.
struct ShortRegime {
  std::uint32_t ttbr0 = 0;
  std::uint32_t ttbr1 = 0;
  unsigned n = 0;  ///< TTBCR.N, 0..7: addresses whose top n bits are not all zero go through TTBR1
  bool pd0 = false;
  bool pd1 = false;  ///< walks through TTBR0 / TTBR1 are off
};

class ShortDescriptors final : public Translation {
 public:
  explicit ShortDescriptors(const ShortRegime& regime) : regime_(regime) {}
  [[nodiscard]] tl::expected<Mapping, Fault> walk(PhysMemory& memory, GuestVirt va) const override;
  [[nodiscard]] std::string describe() const override;

 private:
  ShortRegime regime_;
};

}  // namespace xstack::arm32
