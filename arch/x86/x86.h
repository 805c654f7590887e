// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/arch.h"

namespace xstack {

/// The tables of the two x86 architectures: a 32-bit guest kernel and a 64-bit one.
[[nodiscard]] const ArchOps& x86_32_ops();
[[nodiscard]] const ArchOps& x86_64_ops();

}  // namespace xstack
