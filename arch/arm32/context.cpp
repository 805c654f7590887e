// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/context.h"

#include "base/endian.h"

namespace xstack::arm32 {
namespace {

/// `struct vcpu_guest_core_regs` follows the 32-bit flags, aligned to 8.
constexpr std::size_t kCoreRegs = 8;
constexpr std::size_t kPc = kCoreRegs + 31 * 8;
constexpr std::size_t kCpsr = kPc + 8;

}  // namespace

std::optional<XenContext> read_context(std::span<const std::byte> bytes) {
  if (bytes.size() != 336 && bytes.size() != 344 && bytes.size() != 352) {
    return std::nullopt;
  }
  const auto u32 = [&](std::size_t at) { return load_le<std::uint32_t>(bytes.data() + at); };
  const auto u64 = [&](std::size_t at) { return load_le<std::uint64_t>(bytes.data() + at); };
  const bool wide_psr = bytes.size() == 352;  // cpsr and spsr_el1 became 64 bits wide in 4.16
  XenContext c;
  for (std::size_t i = 0; i < c.x.size(); ++i) {
    c.x[i] = u64(kCoreRegs + i * 8);
  }
  c.pc = u64(kPc);
  c.cpsr = wide_psr ? u64(kCpsr) : u32(kCpsr);
  c.spsr_svc = wide_psr ? u64(kCpsr + 8) : u32(kCpsr + 4);
  const std::size_t spsrs = wide_psr ? kCpsr + 16 : kCpsr + 8;
  c.spsr_fiq = u32(spsrs);
  c.spsr_irq = u32(spsrs + 4);
  c.spsr_und = u32(spsrs + 8);
  c.spsr_abt = u32(spsrs + 12);
  c.sp_el0 = u64(spsrs + 16);
  c.sp_el1 = u64(spsrs + 24);
  c.elr_el1 = u64(spsrs + 32);
  const std::size_t system = spsrs + 40;
  if (bytes.size() == 336) {  // 4.3: sctlr and ttbcr share eight bytes
    c.sctlr = u32(system);
    c.ttbcr = u32(system + 4);
    c.ttbr0 = u64(system + 8);
    c.ttbr1 = u64(system + 16);
  } else {
    c.sctlr = u32(system);  // 64 bits from 4.13; the upper half before that is padding, and no 32-bit guest uses it
    c.ttbcr = u64(system + 8);
    c.ttbr0 = u64(system + 16);
    c.ttbr1 = u64(system + 24);
  }
  return c;
}

}  // namespace xstack::arm32
