// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "linux/kernel_log.h"
#include "tools/kernel_session.h"

namespace xstack {

/// The log of the guest's kernel, which look_round() must have looked for: from memory, or what a capture carries.
/// Errors: not_found.
[[nodiscard]] Result<KernelLog> read_session_log(KernelSession& session, const LogLimits& limits = {});

/// The same from a guest that was just opened.
[[nodiscard]] Result<KernelLog> read_log(Guest& guest, const KernelRequest& request);

}  // namespace xstack
