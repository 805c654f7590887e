// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "logs/builder.h"
#include "logs/kernel_file.h"
#include "logs/module_book.h"
#include "logs/report.h"
#include "logs/row_tracer.h"

namespace xstack::logs {

/// "-s [WHO=]FILE": whose symbols a file has.
struct SymbolSpec {
  enum class Who : std::uint8_t { anyone, xen, domain };
  Who who = Who::anyone;
  unsigned domain = 0;
  std::string path;
};

/// Reads "xen=FILE", "dom0=FILE", "d3=FILE", "FILE". Of a path with an equals sign in it only these are taken off.
[[nodiscard]] SymbolSpec parse_symbol_spec(std::string_view text);

/// What symbols say of a line. Escaped.
struct Note {
  std::uint64_t line = 0;
  std::string text;
  bool below = false;  ///< in a line of its own, below it
};

/// Names and source lines for what reports hold. Files are read when the first report wants them, and once.
class SymbolStore {
 public:
  /// `directories` are searched for files of a report's kernel: by its build-id and its release, as
  /// find_kernel_files() does, and System.map-RELEASE in them and in their boot/.
  SymbolStore(std::vector<SymbolSpec> specs, std::vector<std::string> directories);

  /// Fills in what a report's frames lack, and what its spots are: text for the ends of lines, by line number.
  [[nodiscard]] std::vector<Note> name(Report& report, std::span<const Spot> spots);

  /// What could not be read, one line each, once.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  /// The files for one kernel: the first two may be null, and may be the same.
  struct Files {
    KernelFile* names = nullptr;
    KernelFile* lines = nullptr;
    std::shared_ptr<ModuleBook> modules;
  };
  using Key = std::tuple<bool, unsigned, std::string, std::string>;  ///< Xen?, domain + 1, release, build-id

  [[nodiscard]] KernelFile* load(const std::string& path);
  [[nodiscard]] Files files_for(const Report& report);
  [[nodiscard]] Files choose(const Report& report);
  [[nodiscard]] Files kernel_files(const Report& report);
  [[nodiscard]] static bool is_meant(const SymbolSpec& spec, const Report& report);
  [[nodiscard]] bool is_of(KernelFile& file, const Report& report, bool told);
  void warn(std::string text);

  std::vector<SymbolSpec> specs_;
  std::vector<std::string> directories_;
  std::unordered_map<std::string, std::unique_ptr<KernelFile>> loaded_;  ///< null: it cannot be read
  std::map<Key, Files> chosen_;
  RowTracer tracer_;
  std::vector<std::string> warnings_;
  std::set<std::string> warned_;
};

}  // namespace xstack::logs
