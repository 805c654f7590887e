// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "arch/arch.h"
#include "guest/memory.h"

namespace xstack {

/// Where code lies, told by its own calls.
struct CallPlacement {
  std::uint64_t offset = 0;  ///< added to a symbol's address it gives where that is, modulo 2^64 (2^32)
  unsigned calls = 0;        ///< different targets that were looked at
  unsigned agree = 0;        ///< of these, so many are where a function begins
};

/// How far `memory` has code from the addresses that `functions` (beginnings of functions, in any order) have. Direct
/// calls are relative to the code, so that what they lead to lies as functions lie, but for one offset, a multiple of
/// 4 KiB. `pages`: where to look for calls, in that order, as far as they can be read. Nothing unless one offset fits
/// far better than any other.
[[nodiscard]] std::optional<CallPlacement> place_by_calls(VirtMemory& memory, ArchId arch,
                                                          std::span<const GuestVirt> pages,
                                                          std::span<const std::uint64_t> functions);

}  // namespace xstack
