// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/prstatus.h"

#include <fmt/format.h>

#include "arch/arm32/arm32.h"
#include "arch/arm32/registers.h"
#include "base/endian.h"
#include "guest/prstatus.h"

namespace xstack::arm32 {

Result<CpuState> decode_prstatus(const VcpuContext& vcpu) {
  if (vcpu.context.size() != prstatus::kArm32) {
    return fail(Errc::bad_format, fmt::format("vCPU {}: an NT_PRSTATUS of {} bytes, where arm32 has {}", vcpu.id,
                                              vcpu.context.size(), prstatus::kArm32));
  }
  const auto word = [&](std::size_t i) {
    return load_le<std::uint32_t>(vcpu.context.data() + prstatus::kRegisters32 + i * 4);
  };
  CpuState cpu;
  cpu.arch = &arm32_ops();
  for (RegisterIndex i = kR0; i <= kPc; ++i) {
    cpu.regs.set(i, word(i));
  }
  const std::uint32_t cpsr = word(16);
  cpu.regs.set(kCpsr, cpsr);
  if (const auto bank = bank_of(cpsr)) {
    cpu.mode = bank->mode;
    cpu.current_bank = bank->name;
    cpu.regs.set(bank->sp, word(kSp));
    cpu.regs.set(bank->lr, word(kLr));
  } else {
    cpu.mode = fmt::format("number {:#x}", cpsr & kModeMask);
  }
  cpu.user = (cpsr & kModeMask) == kModeUsr;
  cpu.notes.emplace_back("banked and system registers are not known: an NT_PRSTATUS note does not hold them");
  return cpu;
}

}  // namespace xstack::arm32
