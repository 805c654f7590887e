// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "guest/guest.h"
#include "tools/kernel_session.h"
#include "vmcore/write.h"

namespace xstack {

/// How a guest is to become a file that other tools read.
struct DumpRequest {
  KernelRequest kernel;
  std::string output;                 ///< "-": standard output
  std::optional<bool> compress = {};  ///< with zstd; absent: when the name ends in .zst
  bool pause = true;                  ///< false: the guest runs on, and its memory is not of one moment
  Progress progress;                  ///< may be empty
};

/// What became of it.
struct DumpReport {
  std::uint64_t memory_bytes = 0;  ///< of the guest, in the file
  std::uint64_t file_bytes = 0;    ///< before compression, holes included
  std::uint64_t zero_pages = 0;
  std::size_t vcpus = 0;
  std::size_t segments = 0;
  std::uint64_t aliases_left_out = 0;  ///< pages that the kernel also sees at addresses which are not in the dump
  std::optional<std::uint64_t> pause_us;
  bool partial = false;
  std::vector<std::string> warnings;
};

/// Writes all of a guest's memory and registers as an ELF core that gdb, drgn, crash and xstack open. Constant memory
/// of ours, however large the guest is. Errors: as open, usage, io, not_found (no memory at all), interrupted.
[[nodiscard]] Result<DumpReport> write_dump(Guest& guest, const DumpRequest& request);

}  // namespace xstack
