// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <elfutils/libdw.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "symbols/dwarf_unit.h"
#include "symbols/dwarf_walk.h"
#include "symbols/source_place.h"

namespace xstack {

/// Files, lines and inlined calls from DWARF 2 to 5. Only the compile units that are hit are opened: .debug_aranges
/// tells which, and where it does not (clang writes none), the ranges of all units do.
class DwarfLines {
 public:
  /// `dwarf` must outlive this.
  explicit DwarfLines(Dwarf* dwarf);
  DwarfLines(const DwarfLines&) = delete;
  DwarfLines& operator=(const DwarfLines&) = delete;

  /// The place of `address` (as the file has it): the innermost inlined function first, and each with the place in it;
  /// the function that really is there last. Empty when nothing is known.
  [[nodiscard]] std::vector<SourcePlace> places_at(std::uint64_t address);

 private:
  struct UnitRange {
    AddressRange range;
    Dwarf_Off unit = 0;  ///< offset of its DIE
  };

  [[nodiscard]] std::optional<Dwarf_Die> unit_at(std::uint64_t address);
  void read_unit_ranges();

  Dwarf* dwarf_;
  std::span<const std::byte> line_section_;
  DwarfBudget budget_;
  std::optional<std::vector<UnitRange>> unit_ranges_;  ///< ascending; absent until it is needed
  std::unordered_map<Dwarf_Off, std::unique_ptr<DwarfUnit>> units_;
};

}  // namespace xstack
