// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arch/code.h"
#include "arch/frame.h"
#include "arch/registers.h"
#include "arch/translation.h"
#include "arch/unwind_tables.h"
#include "base/address.h"
#include "base/error.h"
#include "guest/guest.h"

namespace xstack {

enum class ArchId : std::uint8_t { arm32, arm64, x86_32, x86_64 };

struct ArchOps;

/// One vCPU's registers, decoded: what Xen's context says, in the architecture's own terms.
struct CpuState {
  const ArchOps* arch = nullptr;
  RegisterFile regs;                   ///< indices into arch->registers; `general` ones are the current mode's view
  std::string mode;                    ///< "SVC", "USR", "EL1h", "EL0t", "ring 0", "PV kernel", "ring 3", ...
  bool user = false;                   ///< in user mode: the kernel stack is empty or not the one in use
  const char* current_bank = nullptr;  ///< the RegisterInfo::bank in use, when the architecture has banks
  bool mmu_on = true;
  /// How this vCPU translates, in the order to try: its own registers first, then what they imply of the kernel's half
  /// (the other root of a pair, an arm32 TTBR1 that a process table lacks). Empty when the input has no such registers,
  /// until the tables were found in memory (linux/table_search.h).
  std::vector<std::shared_ptr<const Translation>> translations;
  std::optional<TableForm> table_form;  ///< set then: what no register says
  std::vector<std::string> warnings;    ///< "the MMU is off: addresses are physical", ...
  /// Why registers of other modes than the current one are not known: "lr_fiq: a 32-bit Xen never reports it".
  std::vector<std::string> notes;
};

/// What a step may look at. Everything here is borrowed.
struct StepContext {
  const CpuState& cpu;
  VirtMemory& memory;  ///< stacks and code; stack pages as they were at the pause
  CodeInfo& code;
  const UnwindTables& tables;
  bool scan_allowed = true;  ///< whether a marked guess may be returned when all else fails
};

/// One architecture as a table. All of them are compiled on every host; nothing here depends on the host.
///
/// To add an architecture:
///  1. Registers: list them as data (`registers`), name the few that everyone needs (`pc`, `sp`, ...), decode Xen's
///     context (`decode`). Registers and their JSON work then.
///  2. Memory: implement Translation for each page-table format and put the right ones into CpuState::translations;
///     `translation_with_root` makes one for a root found elsewhere. Stack dumps and symbols work then.
///  3. Traces: `first_frame` and `step`. Each names how it found the caller, marks guesses, and says why it ended.
///  4. Update the support matrix in README.md and add captures to tests/data/.
struct ArchOps {
  ArchId id{};
  const char* name = "";   ///< as in JSON: "arm32", "arm64", "x86_32", "x86_64"
  unsigned word_size = 8;  ///< bytes of a kernel stack word
  std::span<const RegisterInfo> registers{};
  RegisterIndex pc = 0;
  RegisterIndex sp = 0;
  RegisterIndex fp = 0;  ///< frame pointer (r11, x29, rbp)
  std::optional<RegisterIndex> lr{};

  /// Decodes one vCPU. Errors: bad_format when the context has an impossible size.
  Result<CpuState> (*decode)(const GuestIdentity& guest, const VcpuContext& vcpu) = nullptr;

  /// The same regime as the vCPU's (of its registers, else of its table_form), with another root: for the kernel's own
  /// tables found by linux/.
  std::shared_ptr<const Translation> (*translation_with_root)(const CpuState& cpu, GuestPhys root) = nullptr;

  /// The forms that kernels' page tables have on this architecture, the likeliest first, and the kernel's half of the
  /// address space as tables of such a form below `root` have it: for when no register says so.
  std::span<const TableForm> table_forms{};
  std::shared_ptr<const Translation> (*translation_of)(const TableForm& form, GuestPhys root) = nullptr;

  /// Frame 0: the interrupted instruction and registers.
  Frame (*first_frame)(const CpuState& cpu) = nullptr;

  /// The caller of `callee`, or why there is none. `depth` is the callee's position, 0 for the vCPU's own registers.
  /// May look at anything in `context`; must end in bounded time whatever guest memory holds.
  tl::expected<Frame, TraceEnd> (*step)(StepContext& context, const Frame& callee, unsigned depth) = nullptr;

  /// Sets Frame::stack of frames that are not on their task's stack. Called once, when the walk is over: what stack the
  /// innermost frames are on shows only where the trace leaves it. May be absent.
  void (*mark_stacks)(StepContext& context, std::span<Frame> frames) = nullptr;

  /// Task stacks of Linux on this architecture are this large at least, and aligned to it (8 KiB arm32, 16 KiB others).
  std::uint64_t stack_size = 16384;
};

/// The table of an architecture.
[[nodiscard]] const ArchOps& arch_ops(ArchId id);

[[nodiscard]] const char* to_string(ArchId id);

/// Which architecture a guest has, from its identity, the size of its contexts and what is in them. `hint` (an ELF
/// machine, --arch) wins when given. A guess is said to be one in `why`. Errors: unsupported, not_found (no contexts).
struct ArchGuess {
  ArchId id{};
  std::string why;
};
[[nodiscard]] Result<ArchGuess> detect_arch(const GuestIdentity& guest, std::span<const VcpuContext> vcpus,
                                            std::optional<ArchId> hint = std::nullopt);

}  // namespace xstack
