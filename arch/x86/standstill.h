// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/standstill.h"

namespace xstack::x86 {

/// standstill_of() on this architecture, of either width.
[[nodiscard]] std::optional<Standstill> standstill(GuestType type, const CpuState& cpu, VirtMemory& memory);

/// not_started() on this architecture: what the domain builder gives vCPU 0 (Xen's tools/libs/guest/xg_dom_x86.c). PVH:
/// EBX points to struct hvm_start_info (public/arch-x86/hvm/start_info.h), no paging; PV: RSI points to struct
/// start_info (public/xen.h), which begins with a name. All other registers but RSP are zero.
[[nodiscard]] std::optional<std::string> not_started(GuestType type, const CpuState& cpu, VirtMemory& memory);

}  // namespace xstack::x86
