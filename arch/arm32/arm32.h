// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "arch/arch.h"

namespace xstack {

/// The table of this architecture.
[[nodiscard]] const ArchOps& arm32_ops();

}  // namespace xstack
