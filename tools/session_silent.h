// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>

#include "guest/memory.h"
#include "tools/kernel_session.h"
#include "tools/report.h"

namespace xstack {

/// What to look for in vCPUs that say nothing of themselves.
struct SilentRequest {
  bool traces = true;  ///< the report has traces: where their names tell what a vCPU does, nothing is looked for
  bool images = true;  ///< look for the image that was booted, where no kernel was found
};

/// Fills in, for tell_doing(): standstills, vCPUs that have not started, decompressors; and takes away the trace that a
/// dump's zeros gave a vCPU that never ran. `vcpus` are parallel to report.vcpus. What is read of the guest goes
/// through `pages`, so that a capture has it; only what must be searched does not.
void look_at_silent(Report& report, std::span<const DecodedVcpu> vcpus, KernelSession& session, PhysMemory& pages,
                    SilentRequest request);

}  // namespace xstack
