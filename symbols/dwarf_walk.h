// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <elfutils/libdw.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace xstack {

/// A half-open range of addresses as a file has them.
struct AddressRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  [[nodiscard]] bool holds(std::uint64_t address) const { return address >= begin && address < end; }
};

/// What may still be read of one file. DWARF is somebody else's: entries may point back, overlap and repeat.
struct DwarfBudget {
  std::uint64_t entries = std::uint64_t{1} << 28;  ///< DIEs looked at; a kernel has some 10 million
  std::uint64_t ranges = std::uint64_t{1} << 26;
  std::uint64_t lines = std::uint64_t{1} << 26;  ///< rows of line tables; a kernel has some 5 million
};

/// Visits what is below `root` in the order of the file; `visit` says whether to go into the DIE's own children. Goes
/// forward only, at most 64 levels down: each DIE is seen once, whatever siblings it claims.
void walk_below(const Dwarf_Die& root, DwarfBudget& budget,
                const std::function<bool(Dwarf_Die& die, std::size_t depth)>& visit);

/// The ranges of addresses that a DIE covers (DW_AT_low_pc and DW_AT_high_pc, or DW_AT_ranges), empty ones left out.
[[nodiscard]] std::vector<AddressRange> ranges_of(Dwarf_Die& die, DwarfBudget& budget);

}  // namespace xstack
