// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/arch.h"

namespace xstack::arm64 {

/// ArchOps::decode: `struct vcpu_guest_context` of xen/include/public/arch-arm.h, as Xen 4.4 to 4.15 (344 bytes) and
/// Xen 4.16 and newer (352 bytes, CPSR and SPSR of 64 bits) have it.
[[nodiscard]] Result<CpuState> decode(const GuestIdentity& guest, const VcpuContext& vcpu);

/// ArchOps::translation_with_root: the kernel's half of the vCPU's regime, from another first table.
[[nodiscard]] std::shared_ptr<const Translation> translation_with_root(const CpuState& cpu, GuestPhys root);

/// ArchOps::table_forms and translation_of.
[[nodiscard]] std::span<const TableForm> table_forms();
[[nodiscard]] std::shared_ptr<const Translation> translation_of(const TableForm& form, GuestPhys root);

/// "EL1h", "EL0 AArch32", ...
[[nodiscard]] std::string mode_name(std::uint64_t pstate);

}  // namespace xstack::arm64
