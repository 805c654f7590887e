// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "guest/dump/output_file.h"
#include "vmcore/kdump.h"
#include "vmcore/write.h"

namespace xstack {

/// Writes a planned kdump file in one pass over memory and in constant memory of ours. Into a file, each piece goes to
/// its place. Standard output gets the flattened form (makedumpfile -F): the same pieces, each with its place before
/// it, for `makedumpfile -R` to put into a file; crash reads it as it is. Errors: as write_memory().
[[nodiscard]] Result<WrittenMemory> write_kdump(PhysMemory& memory, const KdumpPlan& plan, OutputFile& out,
                                                const Progress& progress);

}  // namespace xstack
