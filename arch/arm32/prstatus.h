// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/arch.h"

namespace xstack::arm32 {

/// A vCPU out of an NT_PRSTATUS note: `struct pt_regs` of arch/arm/include/uapi/asm/ptrace.h, that is r0..r15 and the
/// CPSR of the current mode. Other banks and system registers are unknown, and there are no translations. Errors:
/// bad_format.
[[nodiscard]] Result<CpuState> decode_prstatus(const VcpuContext& vcpu);

}  // namespace xstack::arm32
