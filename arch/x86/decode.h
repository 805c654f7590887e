// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/arch.h"

namespace xstack::x86 {

/// ArchOps::decode of a 64-bit and of a 32-bit guest kernel. Either takes what parse_context() understands.
[[nodiscard]] Result<CpuState> decode64(const GuestIdentity& guest, const VcpuContext& vcpu);
[[nodiscard]] Result<CpuState> decode32(const GuestIdentity& guest, const VcpuContext& vcpu);

/// ArchOps::translation_with_root of both: the regime of the vCPU's first translation with another root, or its
/// table_form's where no register says it. A vCPU with paging off gets what its kernel will use: four levels, or PAE
/// for a 32-bit one.
[[nodiscard]] std::shared_ptr<const Translation> with_root(const CpuState& cpu, GuestPhys root);

/// ArchOps::table_forms of either, and translation_of of both.
[[nodiscard]] std::span<const TableForm> table_forms64();
[[nodiscard]] std::span<const TableForm> table_forms32();
[[nodiscard]] std::shared_ptr<const Translation> translation_of(const TableForm& form, GuestPhys root);

}  // namespace xstack::x86
