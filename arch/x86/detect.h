// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>

#include "arch/arch.h"

namespace xstack {

/// detect_arch() for a guest that is known to be x86: is its kernel a 32-bit or a 64-bit one?
[[nodiscard]] Result<ArchGuess> detect_x86(const GuestIdentity& guest, std::span<const VcpuContext> vcpus);

}  // namespace xstack
