// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "arch/arch.h"

namespace xstack::arm32 {

/// An index entry says that its function cannot be unwound: entry code, and assembly without annotations.
struct CantUnwind {};

/// Where the opcodes of an entry are: words in memory, most significant byte first, `skip` bytes into the first.
struct EhabiOpcodes {
  GuestVirt words;
  unsigned skip = 0;
  unsigned count = 0;  ///< opcode bytes, at most 2 + 4 * 255
};

/// One entry of the index.
struct EhabiEntry {
  GuestVirt start;  ///< the linker merges neighbours with equal contents: not always the start of the function itself
  std::variant<CantUnwind, EhabiOpcodes> what;
};

/// Why a table gave nothing: not_covered is no error, the pc is simply in no table; unknown_sp is none of the table's.
struct EhabiFailure {
  enum class Kind : std::uint8_t { not_covered, bad_table, unreadable, unknown_sp } kind{};
  std::string detail;
};

/// The entry for `address`, by binary search in the table whose text holds it; reads a word for each of its steps.
[[nodiscard]] tl::expected<EhabiEntry, EhabiFailure> find_ehabi_entry(VirtMemory& memory, const UnwindTables& tables,
                                                                      GuestVirt address);

/// What executing an entry's opcodes gave: r0..r15 of the caller, unknown ones unknown.
struct EhabiResult {
  RegisterFile regs;
  bool popped_pc = false;  ///< r15 was popped: a saved register set, and its pc is the very instruction
  bool moved_sp = false;   ///< SP came from another register or from the stack: it may be on another stack
};

/// Executes the opcodes of the Exception Handling ABI for the ARM Architecture (IHI 0038, section 9.3), all of them, on
/// the callee's registers. Bounded by the opcode bytes that one entry can have.
[[nodiscard]] tl::expected<EhabiResult, EhabiFailure> execute_ehabi(VirtMemory& memory, const EhabiOpcodes& opcodes,
                                                                    const RegisterFile& callee);

}  // namespace xstack::arm32
