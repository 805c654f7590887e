// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/prstatus.h"

#include <fmt/format.h>

#include "arch/arm64/arm64.h"
#include "arch/arm64/decode.h"
#include "arch/arm64/registers.h"
#include "base/endian.h"
#include "guest/prstatus.h"

namespace xstack::arm64 {

Result<CpuState> decode_prstatus(const VcpuContext& vcpu) {
  if (vcpu.context.size() != prstatus::kArm64) {
    return fail(Errc::bad_format, fmt::format("vCPU {}: an NT_PRSTATUS of {} bytes, where arm64 has {}", vcpu.id,
                                              vcpu.context.size(), prstatus::kArm64));
  }
  const auto word = [&](std::size_t i) {
    return load_le<std::uint64_t>(vcpu.context.data() + prstatus::kRegisters64 + i * 8);
  };
  CpuState cpu;
  cpu.arch = &arm64_ops();
  for (RegisterIndex i = kX0; i <= kPstate; ++i) {  // x0..x30, sp, pc, pstate: the table has them in the same order
    cpu.regs.set(i, word(i));
  }
  const std::uint64_t pstate = word(kPstate);
  cpu.mode = mode_name(pstate);
  cpu.user = is_user_pstate(pstate);
  if ((pstate & kPstateAarch32) == 0) {
    const bool el1h = (pstate & kPstateModeMask) == kModeEl1h;
    cpu.current_bank = el1h ? "EL1" : "EL0";
    cpu.regs.set(el1h ? kSpEl1 : kSpEl0, word(kSp));
  }
  cpu.notes.emplace_back("system registers are not known: an NT_PRSTATUS note does not hold them");
  return cpu;
}

}  // namespace xstack::arm64
