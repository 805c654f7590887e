// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "arch/x86/context.h"

namespace xstack::x86 {

/// What QEMU adds to a core for each CPU: `QEMUCPUState` of target/i386/arch_dump.c, in a note named QEMU.
struct QemuState {
  std::array<std::uint64_t, 5> cr{};
  std::uint64_t fs_base = 0, gs_base = 0;  ///< of the segments as they were: gs_base is the kernel's in kernel mode
  std::uint64_t idtr_base = 0, gdtr_base = 0, tr_base = 0;
  std::optional<std::uint64_t> kernel_gs_base;  ///< MSR_KERNEL_GS_BASE, the other one of the two; QEMU 4.1 on
};

/// Registers out of an NT_PRSTATUS note: `struct user_regs_struct` of arch/x86/include/asm/user_64.h or user_32.h. Of
/// the result only general registers, rip, rflags and segment selectors have a meaning. Errors: bad_format.
[[nodiscard]] Result<Context> parse_prstatus(std::span<const std::byte> bytes);

/// Nothing when there is no such note or it is shorter than QEMU has ever written it.
[[nodiscard]] std::optional<QemuState> parse_qemu_state(std::span<const std::byte> bytes);

}  // namespace xstack::x86
