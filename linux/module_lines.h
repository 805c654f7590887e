// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arch/code.h"
#include "symbols/debug_file.h"
#include "symbols/source_place.h"

namespace xstack {

/// Source lines of one module, from the relocatable file that it was loaded from. Where the kernel put the file's
/// sections is told by the function that is there: the guest's symbol and the file's of the same name. Other functions
/// of that section must then lie as the guest has them, or the file is another build's.
class ModuleLines {
 public:
  ModuleLines(std::unique_ptr<DebugFile> file, std::string module, bool force)
      : file_(std::move(file)), module_(std::move(module)), force_(force) {}

  /// `code` names the guest's functions.
  [[nodiscard]] std::vector<SourcePlace> places_at(GuestVirt address, CodeInfo& code);

  [[nodiscard]] const std::string& path() const { return file_->path(); }
  /// Why there are no lines, once.
  [[nodiscard]] std::optional<std::string> take_problem() { return std::exchange(problem_, std::nullopt); }

 private:
  [[nodiscard]] std::optional<std::uint64_t> section_bias(const CodeSymbol& symbol, CodeInfo& code);
  [[nodiscard]] bool lies_so(std::size_t section, std::uint64_t bias, CodeInfo& code);

  std::unique_ptr<DebugFile> file_;
  std::string module_;
  bool force_;
  bool refused_ = false;
  std::map<std::size_t, std::uint64_t> biases_;  ///< by section: run-time minus the file's
  std::optional<std::string> problem_;
};

}  // namespace xstack
