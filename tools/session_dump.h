// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "guest/guest.h"
#include "tools/kernel_session.h"
#include "vmcore/kdump.h"
#include "vmcore/page_filter.h"
#include "vmcore/write.h"

namespace xstack {

/// What the file is: an ELF core, or makedumpfile's kdump-compressed format.
enum class CoreFormat : std::uint8_t { elf, kdump };

/// How a guest is to become a file that other tools read.
struct DumpRequest {
  KernelRequest kernel;
  std::string output;  ///< "-": standard output
  CoreFormat format = CoreFormat::elf;
  /// Absent: an ELF core is compressed, as a whole, when its name ends in .zst; each page of a kdump file with zlib.
  std::optional<PageCompression> compress = {};
  KeepPages keep = KeepPages::all;
  bool pause = true;  ///< false: the guest runs on, and its memory is not of one moment
  Progress progress;  ///< may be empty
};

/// What became of it.
struct DumpReport {
  std::uint64_t memory_bytes = 0;  ///< of the guest, in the file
  std::uint64_t file_bytes = 0;    ///< before compression, holes included
  std::uint64_t zero_pages = 0;
  std::size_t vcpus = 0;
  std::size_t segments = 0;            ///< of an ELF core
  std::string left_out;                ///< how much of which kind; empty when everything is in the file
  std::uint64_t aliases_left_out = 0;  ///< pages that the kernel also sees at addresses which are not in the dump
  std::optional<std::uint64_t> pause_us;
  bool partial = false;
  std::vector<std::string> warnings;
};

/// Writes a guest's memory and registers as a file that gdb, drgn, crash and xstack open. Constant memory of ours,
/// however large the guest is. Errors: as open, usage, unsupported, io, interrupted; not_found (no memory at all, or
/// the kernel does not say what a part of it is for).
[[nodiscard]] Result<DumpReport> write_dump(Guest& guest, const DumpRequest& request);

}  // namespace xstack
