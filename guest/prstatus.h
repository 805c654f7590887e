// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>

/// `struct elf_prstatus` of Linux (include/linux/elfcore.h), which cores hold in an NT_PRSTATUS note for each CPU. Its
/// size tells the architecture: no two of these are alike. QEMU writes the same (target/*/arch_dump.c).
namespace xstack::prstatus {

inline constexpr std::size_t kX86_32 = 144;
inline constexpr std::size_t kArm32 = 148;
inline constexpr std::size_t kX86_64 = 336;
inline constexpr std::size_t kArm64 = 392;

/// Where pr_reg begins: behind pr_info, pr_cursig, pr_sigpend, pr_sighold, four process numbers and four times.
inline constexpr std::size_t kRegisters32 = 72;
inline constexpr std::size_t kRegisters64 = 112;

}  // namespace xstack::prstatus
