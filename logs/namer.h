// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "logs/builder.h"
#include "logs/kernel_file.h"
#include "logs/module_book.h"
#include "logs/report.h"
#include "logs/row_tracer.h"
#include "logs/symbol_store.h"

namespace xstack::logs {

/// Names for one report, from the files of its kernel.
class Namer {
 public:
  /// The kernel's own files may be null, with `lines` what has source lines; all must outlive this.
  Namer(KernelFile* names, KernelFile* lines, ModuleBook& modules, RowTracer& tracer, Report& report,
        std::span<const Spot> spots);

  /// Fills in the report's frames and returns what there is to say of its lines, in their order.
  [[nodiscard]] std::vector<Note> notes();

 private:
  [[nodiscard]] std::uint64_t slide();
  [[nodiscard]] std::optional<std::uint64_t> learn_slide();
  [[nodiscard]] std::optional<CodeSymbol> symbol_at(std::uint64_t address, bool exact);
  [[nodiscard]] std::optional<std::uint64_t> place_of(const Frame& frame);
  [[nodiscard]] bool may_have_places(const Frame& frame) const;
  [[nodiscard]] std::vector<SourcePlace> places_of(const Frame& frame);
  [[nodiscard]] std::string note_of(const Spot& spot);
  void trace_rows(std::vector<Note>& notes);
  void fill_frames();

  KernelFile* names_;
  KernelFile* lines_;
  ModuleBook& modules_;
  RowTracer& tracer_;
  Report& report_;
  std::span<const Spot> spots_;
  std::optional<std::uint64_t> slide_;
};

}  // namespace xstack::logs
