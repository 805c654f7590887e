// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "arch/registers.h"
#include "base/address.h"
#include "guest/memory.h"

namespace xstack::arm64 {

/// The registers that Linux's entry code saves on a kernel stack: struct pt_regs of arch/arm64/include/asm/ptrace.h.
/// The members here have had these places since 3.7: regs[31] at 0, sp at 248, pc at 256, pstate at 264.
struct PtRegs {
  GuestVirt at;
  std::array<std::uint64_t, 31> x{};
  std::uint64_t sp = 0;
  std::uint64_t pc = 0;
  std::uint64_t pstate = 0;

  /// The general registers of the interrupted context.
  [[nodiscard]] RegisterFile registers() const;
  /// Came from user mode, with a user's pc: not the zeroes of a kernel thread.
  [[nodiscard]] bool from_user() const;
  /// Came from the kernel: an EL1 mode and a kernel pc.
  [[nodiscard]] bool from_kernel() const;
};

[[nodiscard]] std::optional<PtRegs> read_pt_regs(VirtMemory& memory, GuestVirt at);

/// How the frame record at an address relates to saved registers.
struct EntryRecord {
  enum class Kind : std::uint8_t {
    none,       ///< an ordinary record
    exception,  ///< what was interrupted goes on with `regs`
    user,       ///< the last record of a task: `regs` are the user's
    final,      ///< the last record of a kernel thread, or of a task whose saved registers make no sense
  };
  Kind kind = Kind::none;
  std::optional<PtRegs> regs;
};

/// Tells by structure whether the record {fp, lr} at `record` is pt_regs.stackframe, in any of its forms:
/// 4.15 to 6.12: {x29, elr} or, from user mode, {0, 0}; from 6.13: {0, 0, 1} the last one, {0, 0, 2} an exception.
/// It lies at offset 304 of pt_regs, or 296 (4.14, and from 6.13), which shows in its alignment since pt_regs itself is
/// aligned to 16 bytes. Up to 4.14, on top of an IRQ stack: {x29, address of the pt_regs}.
[[nodiscard]] EntryRecord classify_record(VirtMemory& memory, GuestVirt record, std::uint64_t fp, std::uint64_t lr);

/// Kernels up to 4.14 keep x29 as it was when an exception comes: the saved registers lie below the interrupted
/// function's record. Looks for them there: x29 must be `fp`, and sp must be just above the structure.
[[nodiscard]] std::optional<PtRegs> find_pt_regs_below(VirtMemory& memory, std::uint64_t fp);

}  // namespace xstack::arm64
