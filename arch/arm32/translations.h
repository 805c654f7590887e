// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "arch/registers.h"
#include "arch/translation.h"
#include "base/address.h"

namespace xstack::arm32 {

/// How a vCPU with these registers (SCTLR, TTBCR, TTBR0, TTBR1 known) translates, in the order to try:
///  - as its registers say;
///  - the kernel's own tables, which Linux copies into a process's only when a fault asks for it: TTBR1's table for
///    short descriptors, the level 1 that TTBR1 is a part of for LPAE;
///  - TTBR0 for all addresses, when user space is closed to the kernel (CONFIG_CPU_TTBR0_PAN sets T0SZ and EPD0).
[[nodiscard]] std::vector<std::shared_ptr<const Translation>> translations_of(const RegisterFile& regs);

/// The regime of these registers with `root` as the top table of the whole address space.
[[nodiscard]] std::shared_ptr<const Translation> with_root(const RegisterFile& regs, GuestPhys root);

/// ArchOps::table_forms and translation_of.
[[nodiscard]] std::span<const TableForm> table_forms();
[[nodiscard]] std::shared_ptr<const Translation> translation_of(const TableForm& form, GuestPhys root);

}  // namespace xstack::arm32
