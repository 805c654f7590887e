// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "linux/kernel_log.h"
#include "tools/report.h"

namespace xstack {

/// The crash that the log tells of: the last panic, or, without one, the last oops. Where it happened is looked up in
/// the traces of `report`, who it was in the trace's vCPU and in the log. Nothing when the log tells of none.
[[nodiscard]] std::optional<CrashReport> find_crash(const KernelLog& log, const Report& report);

/// "Kernel panic - not syncing: sysrq triggered crash, in sysrq_handle_crash on vCPU 0, task sh[142]", without what is
/// not known. Not escaped.
[[nodiscard]] std::string crash_line(const CrashReport& crash);

}  // namespace xstack
