// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace xstack::arm32 {

/// `struct vcpu_guest_context` of xen/include/public/arch-arm.h, undone from any of its layouts. Both a 32-bit and a
/// 64-bit guest's vCPUs come in it; here the fields have the meaning that they have for a 32-bit guest.
struct XenContext {
  std::array<std::uint64_t, 31> x{};  ///< r0..r12, then the banks in the order of the AArch64 mapping
  std::uint64_t pc = 0;
  std::uint64_t cpsr = 0;
  std::uint64_t spsr_svc = 0;  ///< spsr_el1 of a 64-bit guest
  std::uint32_t spsr_fiq = 0;
  std::uint32_t spsr_irq = 0;
  std::uint32_t spsr_und = 0;
  std::uint32_t spsr_abt = 0;
  std::uint64_t sp_el0 = 0;  ///< these three only for a 64-bit guest
  std::uint64_t sp_el1 = 0;
  std::uint64_t elr_el1 = 0;
  std::uint64_t sctlr = 0;
  std::uint64_t ttbcr = 0;  ///< all of TCR_EL1 for a 64-bit guest
  std::uint64_t ttbr0 = 0;
  std::uint64_t ttbr1 = 0;
};

/// The layout is told by the size: 336 bytes in Xen 4.3, 344 in 4.4..4.15, 352 from 4.16. Nothing for other sizes.
[[nodiscard]] std::optional<XenContext> read_context(std::span<const std::byte> bytes);

}  // namespace xstack::arm32
