// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "arch/unwind_tables.h"
#include "logs/kernel_file.h"
#include "logs/report.h"

namespace xstack::logs {

/// Traces from what Xen prints of a guest: its registers and the rows of its stack are a small guest, and the unwinders
/// that serve whole ones work on it, with the code and the tables of the kernel's ELF file. System.map alone lets them
/// follow frame records; where nothing can be followed, words of the stack that are return addresses by their place are
/// marked guesses.
class RowTracer {
 public:
  /// Makes the frames of `report` anew and says why they end, when it has registers and rows, and nobody has printed a
  /// trace. `slide`: how far the kernel runs from where `file` was linked. False, with the report as it was, when there
  /// is nothing to make a trace of.
  bool trace(Report& report, KernelFile& file, std::uint64_t slide);

 private:
  using Key = std::pair<const KernelFile*, std::uint64_t>;
  std::map<Key, UnwindTables> tables_;
};

}  // namespace xstack::logs
