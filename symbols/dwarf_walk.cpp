// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/dwarf_walk.h"

#include <algorithm>

namespace xstack {
namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxRanges = 1U << 16;  // of one DIE

}  // namespace

void walk_below(const Dwarf_Die& root, DwarfBudget& budget,
                const std::function<bool(Dwarf_Die& die, std::size_t depth)>& visit) {
  std::vector<Dwarf_Die> parents;
  Dwarf_Die die = root;
  Dwarf_Die next;
  Dwarf_Off reached = dwarf_dieoffset(&die);
  if (dwarf_child(&die, &next) != 0) {
    return;
  }
  while (budget.entries > 0 && dwarf_dieoffset(&next) > reached) {
    die = next;
    reached = dwarf_dieoffset(&die);
    --budget.entries;
    if (visit(die, parents.size()) && parents.size() < kMaxDepth && dwarf_child(&die, &next) == 0) {
      parents.push_back(die);
      continue;
    }
    while (dwarf_siblingof(&die, &next) != 0) {
      if (parents.empty()) {
        return;
      }
      die = parents.back();
      parents.pop_back();
    }
  }
}

std::vector<AddressRange> ranges_of(Dwarf_Die& die, DwarfBudget& budget) {
  std::vector<AddressRange> all;
  Dwarf_Addr base = 0;
  Dwarf_Addr begin = 0;
  Dwarf_Addr end = 0;
  std::ptrdiff_t at = 0;
  while (budget.ranges > 0 && all.size() < kMaxRanges && (at = dwarf_ranges(&die, at, &base, &begin, &end)) > 0) {
    --budget.ranges;
    if (begin < end) {
      all.push_back({begin, end});
    }
  }
  return all;
}

}  // namespace xstack
