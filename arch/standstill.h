// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "arch/arch.h"
#include "base/address.h"

namespace xstack {

/// A vCPU that goes nowhere, told by the instructions at its program counter and by its registers alone: no symbols are
/// needed, and nothing here is a guess.
struct Standstill {
  enum class Kind : std::uint8_t {
    waits_for_interrupt,  ///< WFI, HLT
    waits_for_event,      ///< WFE
    branches_to_itself,   ///< one instruction
    empty_loop,           ///< a few that do nothing and lead back to themselves
    retakes_exception,    ///< the exception vector itself cannot be executed: each try takes the same exception again
  };
  Kind kind{};
  std::string how;             ///< what it rests on: "the instruction before pc is WFI"
  std::optional<bool> masked;  ///< whether the CPU takes interrupts; nothing when that is not in its registers
};

/// Whether the vCPU goes nowhere, by its registers and the code at its pc; reads a page or two. Nothing when that
/// cannot be proved.
[[nodiscard]] std::optional<Standstill> standstill_of(const GuestIdentity& guest, const CpuState& cpu,
                                                      VirtMemory& memory);

/// Whether the vCPU's registers are still those that Xen's domain builder gave it, and by what that is told: it has not
/// executed an instruction that changes one.
[[nodiscard]] std::optional<std::string> not_started(const GuestIdentity& guest, const CpuState& cpu,
                                                     VirtMemory& memory);

/// An instruction as far as standing still goes.
struct PlainInstruction {
  enum class Kind : std::uint8_t { other, does_nothing, waits_for_interrupt, waits_for_event, jumps };
  Kind kind = Kind::other;
  const char* name = "";      ///< "WFI"
  unsigned bytes = 0;         ///< its length
  std::int64_t distance = 0;  ///< of a jump, from the instruction's own address
};

/// Follows the code from `pc` for a few instructions, as long as they do nothing, wait or jump: do they lead back? Then
/// the vCPU stays there. `at` decodes the instruction at an address (nothing when it cannot be read). `before` says
/// which waiting instruction ends at `pc`, if one does: a vCPU that Xen suspends in one has its pc behind it already.
[[nodiscard]] std::optional<Standstill> find_standstill(
    GuestVirt pc, const std::function<std::optional<PlainInstruction>(GuestVirt)>& at,
    const std::function<std::optional<PlainInstruction>(GuestVirt)>& before);

}  // namespace xstack
