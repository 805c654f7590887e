// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "arch/registers.h"
#include "base/address.h"

namespace xstack {

/// How a frame was found, from surest to a guess. JSON names: to_string().
enum class FoundBy : std::uint8_t {
  registers,      ///< the vCPU's own
  ehabi,          ///< ARM exception index tables
  orc,            ///< x86 ORC tables
  frame,          ///< a frame record or frame pointer chain
  dwarf,          ///< DWARF call frame information
  link_register,  ///< the return address still in LR (or on top of the stack, x86) of a leaf or a prologue
  exception,      ///< saved registers of an interrupted context (pt_regs, ELR, banked LR)
  scan,           ///< a word on the stack that looks like a return address: a guess
  inlined,        ///< no frame of its own: DWARF says that it was inlined here
};

/// The names JSON uses: "registers", "ehabi", ..., "link-register", ..., "inline".
[[nodiscard]] const char* to_string(FoundBy found_by);

/// One frame while unwinding. `regs` holds the general registers as they were in this frame; those that the callee may
/// have changed and nobody saved are unknown.
struct Frame {
  RegisterFile regs;
  GuestVirt pc;                 ///< canonical: pointer authentication and the Thumb bit removed
  std::optional<GuestVirt> sp;  ///< absent when the method cannot tell (arm64 frame records)
  FoundBy found_by = FoundBy::registers;
  bool exact = true;  ///< pc is the very instruction (current or interrupted); false: a return address
  std::optional<std::string>
      stack;  ///< the stack this frame is on when it is not the task's: "irq", "overflow", "nmi", ...
};

/// Where to look up the symbol, unwind entry and line of a frame.
[[nodiscard]] inline GuestVirt lookup_address(const Frame& frame) {
  return frame.exact ? frame.pc : frame.pc - 1;
}

/// Why a trace ended. Text for people and JSON: to_string().
enum class EndReason : std::uint8_t {
  user_mode,        ///< the next frame is in user mode: a complete trace
  end_of_stack,     ///< the kernel's own end marker (final frame record, END_OF_STACK, ret_from_fork, idle entry)
  no_unwind_info,   ///< no table covers the pc and nothing else helps
  bad_unwind_info,  ///< the table says something impossible
  unreadable,       ///< the stack could not be read
  no_progress,      ///< the caller would be the same frame again, or the chain runs in a circle
  too_many_frames,  ///< the limit was reached
  not_code,         ///< the return address is not in any code
  no_registers,     ///< the vCPU has none
};

[[nodiscard]] const char* to_string(EndReason reason);

/// The user-mode context that a kernel trace came from.
struct UserContext {
  GuestVirt pc;
  std::optional<GuestVirt> sp;
};

/// The end of a trace.
struct TraceEnd {
  EndReason reason{};
  std::string detail;               ///< one line of why, may be empty
  std::optional<UserContext> user;  ///< for user_mode, when its registers could be read
};

}  // namespace xstack
