// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "guest/guest.h"
#include "linux/kernel.h"
#include "linux/source_lines.h"
#include "tools/report.h"

namespace xstack {

/// What to find out. Printing options are not here: they belong to printers.
struct ReportRequest {
  std::vector<unsigned> vcpus;  ///< empty: all
  bool trace = true;            ///< unwind and name
  bool scan = true;             ///< allow marked guesses
  unsigned max_frames = 256;
  std::optional<std::uint64_t> stack_bytes;  ///< dump this much stack from SP; 0: to the end of the stack's pages
  std::vector<std::string> symbol_files;     ///< -s
  LineSources lines;                         ///< where source lines may come from, besides symbol_files
  std::optional<std::uint64_t> kernel_start;
  std::optional<KernelDefault> fallback;  ///< --board
  std::optional<ArchId> arch;
  std::vector<std::pair<GuestVirt, std::uint64_t>> memory;  ///< -m, -d: (address, bytes)
  bool name_words = false;    ///< name the words of stacks and memory that are addresses of code (-S, -d)
  bool log = true;            ///< a capture carries the kernel's log
  bool tasks = false;         ///< a capture carries all tasks with their stacks
  bool system_facts = false;  ///< command line, uptime and so on
  bool kernel_facts = true;   ///< look for release, symbols and tables; false for plain registers
};

/// The one way from a guest to a report: look round in the kernel, pause, take registers and walk the stacks, resume,
/// then name what was found. Errors only when there is nothing to report; all else is a partial report.
[[nodiscard]] Result<Report> make_report(Guest& guest, const ReportRequest& request);

/// The same, written as a capture to `path`: the vCPU contexts, the pages that the trace needed, and what was found
/// out.
[[nodiscard]] Result<Report> write_capture(Guest& guest, const ReportRequest& request, const std::string& path);

}  // namespace xstack
