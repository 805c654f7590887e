// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/standstill.h"

namespace xstack::arm64 {

/// standstill_of() on this architecture. Also knows a guest whose exception vector is not memory: ELR_EL1 is the vector
/// itself.
[[nodiscard]] std::optional<Standstill> standstill(const CpuState& cpu, VirtMemory& memory);

/// not_started() on this architecture: what the domain builder gives vCPU 0 of a 64-bit guest (vcpu_arm64() of Xen's
/// tools/libs/guest/xg_dom_arm.c): x0 the device tree, all else zero, EL1h with all exceptions masked.
[[nodiscard]] std::optional<std::string> not_started(const CpuState& cpu, VirtMemory& memory);

}  // namespace xstack::arm64
