// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "tools/report.h"

namespace xstack {

/// Do the frames alone tell what this vCPU does (panic, stopped by another, idle, user mode)? Then nothing more need be
/// read of the guest.
[[nodiscard]] bool told_by_frames(const VcpuReport& vcpu);

/// Did this vCPU never run: Xen has no registers for it, or a dump has nothing but zeros?
[[nodiscard]] bool never_ran(const VcpuReport& vcpu);

/// Fills in Doing of every vCPU and of the guest, from what the report holds by then: registers, standstills, frames,
/// the image and the crash. What cannot be told stays absent.
void tell_doing(Report& report);

}  // namespace xstack
