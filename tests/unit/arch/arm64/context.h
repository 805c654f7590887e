// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "arch/arch.h"
#include "arch/arm64/arm64.h"
#include "guest/guest.h"

namespace xstack::test {

/// A vCPU context of Xen 4.16 and newer, filled by hand.
class Arm64Context {
 public:
  Arm64Context() {
    vcpu_.context.resize(352);
    cpsr(0x5);                                // EL1h
    put(320, 0x30d0'198dULL);                 // SCTLR with the MMU on
    put(328, 0x5'b510'3510ULL | 1ULL << 38);  // TCR: T0SZ 16, T1SZ 16, both 4K, IPS 48
  }
  Arm64Context& x(unsigned n, std::uint64_t value) { return put(8 + n * 8, value); }
  Arm64Context& pc(std::uint64_t value) { return put(256, value); }
  Arm64Context& cpsr(std::uint64_t value) { return put(264, value); }
  Arm64Context& spsr_el1(std::uint64_t value) { return put(272, value); }
  Arm64Context& sp_el0(std::uint64_t value) { return put(296, value); }
  Arm64Context& sp_el1(std::uint64_t value) { return put(304, value); }
  Arm64Context& elr_el1(std::uint64_t value) { return put(312, value); }
  Arm64Context& put(std::size_t offset, std::uint64_t value) {
    std::memcpy(vcpu_.context.data() + offset, &value, sizeof value);
    return *this;
  }
  [[nodiscard]] const VcpuContext& vcpu() const { return vcpu_; }
  [[nodiscard]] CpuState decode() const { return arm64_ops().decode(GuestIdentity{}, vcpu_).value(); }

 private:
  VcpuContext vcpu_;
};

}  // namespace xstack::test
