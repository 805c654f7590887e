// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/arch.h"

namespace xstack::arm32 {

/// ArchOps::decode: registers, mode and translations of one vCPU.
[[nodiscard]] Result<CpuState> decode(const GuestIdentity& guest, const VcpuContext& vcpu);

}  // namespace xstack::arm32
