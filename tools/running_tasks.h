// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tools/kernel_session.h"

namespace xstack {

/// The pid of the task that each of `vcpus` runs, 0 for its idle task; nothing where that is not known.
[[nodiscard]] std::vector<std::optional<std::uint32_t>> running_pids(KernelSession& session,
                                                                     const std::vector<DecodedVcpu>& vcpus);

}  // namespace xstack
