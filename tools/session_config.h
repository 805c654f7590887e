// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "kconfig/config_source.h"
#include "tools/kernel_session.h"

namespace xstack {

/// The configuration that a guest's kernel holds in its memory (CONFIG_IKCONFIG): in its image, in its module
/// `configs`, or, when the kernel was not found, wherever in the guest's memory one lies. Errors: not_found.
[[nodiscard]] Result<FoundConfig> read_config(Guest& guest, const KernelRequest& request);

}  // namespace xstack
