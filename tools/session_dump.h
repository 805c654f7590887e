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

/// What the file is: an ELF core, makedumpfile's kdump-compressed format, or what `xl dump-core` writes.
enum class CoreFormat : std::uint8_t { elf, kdump, xl };

/// Which number each vCPU's NT_PRSTATUS note has where a process's would be: the vCPU's and one, as QEMU has it, or the
/// pid of the task that it runs.
enum class NoteNumbers : std::uint8_t { vcpu, task };

/// How a guest is to become a file that other tools read.
struct DumpRequest {
  KernelRequest kernel;
  std::string output;  ///< "-": standard output
  CoreFormat format = CoreFormat::elf;
  /// Absent: a file that is no kdump file is compressed, as a whole, when its name ends in .zst; each page of a kdump
  /// file with zlib.
  std::optional<PageCompression> compress = {};
  KeepPages keep = KeepPages::all;
  NoteNumbers numbers = NoteNumbers::vcpu;
  std::uint64_t skip = 0;  ///< bytes of standard output that were sent by an earlier run
  bool pause = true;       ///< false: the guest runs on, and its memory is not of one moment
  Progress progress;       ///< may be empty
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
