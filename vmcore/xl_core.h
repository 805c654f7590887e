// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "guest/dump/capture_notes.h"
#include "guest/dump/output_file.h"
#include "vmcore/elf_core.h"
#include "vmcore/write.h"

namespace xstack {

/// A file as `xl dump-core` writes it (xen/docs/misc/dump-core-format.txt): sections, no segments, Xen's own contexts.
/// It is the one form in which crash follows a PV guest's page tables, whose entries are machine frames.
struct XlCorePlan {
  std::vector<std::byte> head;     ///< all that comes before memory, padded to a whole page
  std::vector<FrameNumbers> runs;  ///< memory in the order of the file
  std::uint64_t pages = 0;         ///< of the file, holes included
  bool p2m = false;                ///< a table of pairs, which of a PV guest says both numbers of each page
  std::uint64_t table_at = 0;      ///< offset in the file
  std::string names;               ///< of sections; they come last
};

/// `numbered` and `frames` are the same memory in the same order: by the kernel's numbers, which a PV guest's table
/// also has, and by what Xen calls it. crash takes entry N of that table for page N: a page that is not there is a hole
/// and no machine frame's. Errors: unsupported (registers in another form than Xen's, or none; a capture, of whose
/// memory too much is missing; numbers out of order), too_large (numbers with holes of more than `kMostHoles` pages).
[[nodiscard]] Result<XlCorePlan> plan_xl_core(const CoreContents& contents, std::span<const FrameRange> numbered,
                                              std::span<const FrameRange> frames);
inline constexpr std::uint64_t kMostHoles = std::uint64_t{1} << 26;  // 256 GiB; a GiB of table

/// Errors: as write_memory().
[[nodiscard]] Result<WrittenMemory> write_xl_core(PhysMemory& memory, const XlCorePlan& plan, OutputFile& out,
                                                  const Progress& progress);

}  // namespace xstack
