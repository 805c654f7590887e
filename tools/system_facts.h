// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "linux/kernel_log.h"
#include "tools/kernel_session.h"
#include "tools/report.h"

namespace xstack {

/// What `xstack info` shows beyond describe(): from the kernel's variables where kallsyms names them, else from its log
/// (may be null). What cannot be known is in SystemReport::unknown, with its reason. `count_tasks`: follow the list of
/// tasks too.
[[nodiscard]] SystemReport read_system_facts(KernelSession& session, const KernelLog* log, bool count_tasks);

/// The letters of tainted_mask as the kernel prints them, with what they mean: "W (warning)".
[[nodiscard]] std::vector<std::string> taint_names(std::uint64_t mask);

/// The letters alone, as /proc/modules has them: "OE".
[[nodiscard]] std::string taint_letters(std::uint64_t mask);

}  // namespace xstack
