// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <elfutils/libdw.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "symbols/dwarf_walk.h"
#include "symbols/source_place.h"

namespace xstack {

/// One compile unit of a file's DWARF, read as far as it was asked for: its line table and the places of its functions
/// at the first address, the calls inlined into a function when an address in it is asked for.
class DwarfUnit {
 public:
  /// `line_section` holds the line tables, `budget` must outlive this.
  DwarfUnit(const Dwarf_Die& unit, std::span<const std::byte> line_section, DwarfBudget& budget);

  /// As DwarfLines::places_at().
  [[nodiscard]] std::vector<SourcePlace> places_at(std::uint64_t address);

 private:
  /// A call that was inlined. Its chain of callers ends with nothing: the function itself.
  struct InlinedCall {
    Dwarf_Die die;
    std::optional<std::size_t> caller;
    std::size_t depth = 0;
  };
  struct CallRange {
    AddressRange range;
    std::size_t call = 0;
  };
  struct Function {
    Dwarf_Die die;
    bool read = false;  ///< the two below are filled
    std::vector<InlinedCall> calls;
    std::vector<CallRange> ranges;
  };
  struct FunctionRange {
    AddressRange range;
    std::size_t function = 0;
  };

  void read_lines(std::span<const std::byte> line_section);
  void read_functions();
  void read_calls(Function& function);
  [[nodiscard]] Function* function_at(std::uint64_t address);
  [[nodiscard]] const std::string& short_path(const char* file);
  void put_line(SourcePlace& place, std::uint64_t address);
  void put_call_site(SourcePlace& place, Dwarf_Die& call);

  Dwarf_Die unit_;
  DwarfBudget& budget_;
  bool lines_usable_ = false;
  const char* compile_directory_ = nullptr;
  std::vector<Dwarf_Die> function_dies_;                 ///< of all functions
  std::unordered_map<std::size_t, Function> functions_;  ///< those that were asked for, by position
  std::vector<FunctionRange> function_ranges_;           ///< ascending
  std::unordered_map<const char*, std::string> paths_;
};

}  // namespace xstack
