// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/arch.h"

namespace xstack::arm64 {

/// A vCPU out of an NT_PRSTATUS note: `struct user_pt_regs` of arch/arm64/include/uapi/asm/ptrace.h, that is x0..x30,
/// sp, pc and pstate. System registers and the other stack pointer are unknown, and there are no translations. Errors:
/// bad_format.
[[nodiscard]] Result<CpuState> decode_prstatus(const VcpuContext& vcpu);

}  // namespace xstack::arm64
