// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "arch/x86/context.h"
#include "guest/guest.h"

namespace xstack::test {

/// A vCPU as Xen gives it, filled by hand. Offsets are those of public/arch-x86/xen.h (the registers begin at 520, or
/// 516 in the 32-bit layout) and public/arch-x86/hvm/save.h.
class X86Vcpu {
 public:
  explicit X86Vcpu(std::size_t size = x86::kContextSize64) { vcpu.context.resize(size); }

  template <class T>
  X86Vcpu& put(std::size_t at, T value) {
    std::memcpy(&vcpu.context.at(at), &value, sizeof value);
    return *this;
  }
  /// A word of struct cpu_user_regs, 64-bit layout.
  X86Vcpu& user(std::size_t at, std::uint64_t value) { return put(520 + at, value); }
  X86Vcpu& selectors(std::uint16_t cs, std::uint16_t ss) { return put(520 + 136, cs).put(520 + 160, ss); }
  X86Vcpu& rip(std::uint64_t value) { return user(128, value); }
  X86Vcpu& rflags(std::uint64_t value) { return user(144, value); }
  X86Vcpu& rsp(std::uint64_t value) { return user(152, value); }
  X86Vcpu& cr(std::size_t n, std::uint64_t value) { return put(4984 + n * 8, value); }
  X86Vcpu& flags(std::uint64_t value) { return put(512, value); }

  /// The HVM save record, made when the first member is set.
  X86Vcpu& record(std::size_t at, std::uint64_t value) {
    vcpu.hvm_record.resize(1024);
    std::memcpy(&vcpu.hvm_record.at(at), &value, sizeof value);
    return *this;
  }
  X86Vcpu& attributes(std::uint32_t cs, std::uint32_t ss) {
    record(888, cs);
    std::memcpy(&vcpu.hvm_record.at(908), &ss, sizeof ss);
    return *this;
  }

  VcpuContext vcpu;
};

inline GuestIdentity guest_of_type(GuestType type) {
  GuestIdentity guest;
  guest.type = type;
  return guest;
}

}  // namespace xstack::test
