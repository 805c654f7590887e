// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "guest/memory.h"
#include "linux/kernel_log.h"
#include "linux/mapped_scan.h"
#include "linux/vmcoreinfo.h"

namespace xstack {

/// Where to look for the kernel's log.
struct LogPlace {
  VirtMemory& memory;  ///< the kernel's; keeping nothing, since much is read
  PageProbe& probe;    ///< of the same addresses
  unsigned word_size;
  std::function<std::optional<GuestVirt>(std::string_view)> symbol;  ///< a kernel variable by kallsyms
  const Vmcoreinfo* info = nullptr;                                  ///< may be null
  std::optional<GuestVirt> data_begin;  ///< where the kernel's variables begin; absent: no search by structure
};

/// Finds and reads the log: the lockless ring (5.10 on) or the record buffer (3.5 to 5.9), by the kernel's own symbols,
/// by VMCOREINFO, or by structure where the kernel has neither. Errors: not_found.
[[nodiscard]] Result<KernelLog> read_kernel_log(const LogPlace& place, const LogLimits& limits);

}  // namespace xstack
