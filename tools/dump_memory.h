// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "guest/dump/capture_notes.h"
#include "tools/kernel_session.h"
#include "vmcore/blanked_memory.h"
#include "vmcore/kernel_map.h"
#include "vmcore/page_filter.h"

namespace xstack {

/// The memory of a guest as a dump is to have it.
struct DumpMemory {
  std::vector<FrameRange> present;  ///< all there is, in the dump's numbers
  NumberedFrames kept;              ///< what goes into the dump
  std::vector<PhysSpan> blanks;     ///< what is to read as zeros, by Xen's frames
  std::vector<FrameNumbers> table;  ///< of a PV guest: which number stands for which machine frame
  KernelMap map;                    ///< in the dump's numbers; without runs when no tables were found
  std::optional<PageCounts> counts;
  std::vector<std::string> warnings;
};

/// Finds out what there is, where the kernel maps it, and what `keep` leaves of it. `vcpus` are those of the dump.
/// Errors: not_found (no memory at all; for a part of it: what the kernel does not say), bad_format, unreadable.
[[nodiscard]] Result<DumpMemory> plan_memory(KernelSession& session, const std::vector<DecodedVcpu>& vcpus,
                                             KeepPages keep);

}  // namespace xstack
