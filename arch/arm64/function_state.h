// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.h"
#include "guest/memory.h"

namespace xstack::arm64 {

/// Where a function stands with its return address at one of its instructions, before that instruction runs.
struct FunctionState {
  enum class ReturnAddress : std::uint8_t {
    live,   ///< in x30
    saved,  ///< on the stack; x30 may hold anything
    lost,   ///< overwritten without having been saved: the function does not return
  };
  ReturnAddress where = ReturnAddress::live;
  bool fp_is_record = false;  ///< x29 points at this function's own frame record
  bool fp_saved = false;      ///< the caller's x29 is on the stack, beside the return address
  /// Bytes from SP up to where SP was on entry; nothing when it cannot be told (a register was added to SP).
  std::optional<std::int64_t> depth = 0;
  /// Bytes from where SP was on entry down to the saved {x29, x30}, or x30 alone when fp_saved is false.
  std::int64_t record_depth = 0;
  friend bool operator==(const FunctionState&, const FunctionState&) = default;
};

/// Follows the control flow of the function at `start`, which has `size` bytes (0: not known), up to `pc`. Nothing when
/// no path leads there (a jump table), the code cannot be read, or the function is larger than what is looked at. Looks
/// at each instruction at most once.
[[nodiscard]] std::optional<FunctionState> state_at(VirtMemory& memory, GuestVirt start, std::uint64_t size,
                                                    GuestVirt pc);

}  // namespace xstack::arm64
