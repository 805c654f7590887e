// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "logs/builder.h"
#include "logs/report.h"
#include "symbols/symbol_table.h"

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

/// Names for what reports hold. Files are read when the first report wants them, and once.
class SymbolStore {
 public:
  /// `directories` are searched for files that are named after a report's kernel: vmlinux-RELEASE,
  /// System.map-RELEASE, and .build-id/xx/yy.debug.
  SymbolStore(std::vector<SymbolSpec> specs, std::vector<std::string> directories);

  /// Fills in what a report's frames lack, and what its spots are: the text for the end of each line, by line number.
  [[nodiscard]] std::map<std::uint64_t, std::string> name(Report& report, std::span<const Spot> spots);

  /// What could not be read, one line each, once.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  [[nodiscard]] bool empty() const { return specs_.empty() && directories_.empty(); }

 private:
  struct Source {
    SymbolTable table;
    std::unordered_multimap<std::string, std::pair<std::uint64_t, std::uint64_t>> by_name;  ///< address, size
    std::uint64_t text_begin = 0;
    std::uint64_t text_end = ~std::uint64_t{0};
    bool is_xen = false;
  };
  [[nodiscard]] Source* load(const std::string& path, bool must_exist);
  [[nodiscard]] std::vector<Source*> sources_for(const Report& report);
  [[nodiscard]] static std::optional<std::uint64_t> learn_slide(const Source& source, std::span<const Spot> spots);

  std::vector<SymbolSpec> specs_;
  std::vector<std::string> directories_;
  std::unordered_map<std::string, std::unique_ptr<Source>> loaded_;  ///< null: there is none
  std::vector<std::string> warnings_;
};

}  // namespace xstack::logs
