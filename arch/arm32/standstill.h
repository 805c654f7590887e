// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/standstill.h"

namespace xstack::arm32 {

/// standstill_of() on this architecture. Also knows a guest whose exception vectors are not memory (VBAR is zero, or
/// SCTLR.V chose 0xffff0000, and nothing is there): Xen's abort sends it to the vector, which aborts again, for ever.
[[nodiscard]] std::optional<Standstill> standstill(const CpuState& cpu, VirtMemory& memory);

/// Is this the second, or a later, exception at a vector that cannot be executed? What the first one interrupted is
/// lost.
[[nodiscard]] bool took_its_own_exception(const RegisterFile& regs);

/// not_started() on this architecture: what the domain builder gives vCPU 0 of a 32-bit guest (vcpu_arm32() of Xen's
/// tools/libs/guest/xg_dom_arm.c, and construct_domU() for dom0less): r0 0, r1 ~0, r2 the device tree, all else zero.
[[nodiscard]] std::optional<std::string> not_started(const CpuState& cpu, VirtMemory& memory);

}  // namespace xstack::arm32
