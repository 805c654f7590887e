// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "arch/code.h"
#include "base/address.h"
#include "guest/memory.h"

namespace xstack::arm32 {

/// The instruction before a return address, when it is one that sets LR.
struct CallSite {
  std::optional<GuestVirt> target;  ///< of a direct call
};

/// Is there a call just before `ret` (bit 0 set: Thumb)? A call is BL, BLX, or `mov lr, pc` before a jump.
[[nodiscard]] std::optional<CallSite> call_before(VirtMemory& memory, std::uint32_t ret);

/// What can be said of `address` as a return address, from its neighbourhood.
enum class ReturnAddress : std::uint8_t {
  no,       ///< known to be no code, or nothing calls there
  call,     ///< a call precedes it
  by_hand,  ///< put into LR by entry code: a function's first instruction (ret_fast_syscall), or inside of entry code
};
[[nodiscard]] ReturnAddress judge_return(VirtMemory& memory, CodeInfo& code, std::uint32_t address);

/// Was the code at `pc` entered by the call before `ret`: a direct call to at most 1 KiB before pc, with no return
/// between its target and pc? For code that nothing describes, such as head.S, whose names are in no kallsyms (ARM
/// state only).
[[nodiscard]] bool leads_to(VirtMemory& memory, std::uint32_t ret, GuestVirt pc);

/// Where a B or BL at `at` goes (ARM state; the caller knows that `insn` is one).
[[nodiscard]] std::uint32_t branch_target(std::uint32_t at, std::uint32_t insn);

}  // namespace xstack::arm32
