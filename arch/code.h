// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"

namespace xstack {

/// A function (or other symbol) and the address's place in it.
struct CodeSymbol {
  std::string name;  ///< bare name as the symbol table has it; the guest's: escape it to show it
  GuestVirt start;
  std::uint64_t size = 0;  ///< to the next symbol of another address, when the table says no size; 0 when not known
  std::string module;      ///< module name; empty for the kernel proper
};

/// What the unwinders ask of symbols: where functions begin and what is code. Implemented over symbols/ and linux/.
/// Results are the same however often one asks. All addresses are run-time ones (KASLR applied).
class CodeInfo {
 public:
  CodeInfo() = default;
  CodeInfo(const CodeInfo&) = delete;
  CodeInfo& operator=(const CodeInfo&) = delete;
  virtual ~CodeInfo() = default;

  /// The function that covers `address`, exactly as given: a caller with a return address asks for it minus one.
  [[nodiscard]] virtual std::optional<CodeSymbol> function_at(GuestVirt address) = 0;

  /// Could a PC be there: kernel text, or a module's. False for what is known to be no code. Nothing when not known
  /// (no symbols): then structure alone has to decide.
  [[nodiscard]] virtual std::optional<bool> is_code(GuestVirt address) = 0;

  /// The address of a kernel (not module) symbol; nothing when there is none of that name.
  [[nodiscard]] virtual std::optional<GuestVirt> address_of(std::string_view name) = 0;
};

}  // namespace xstack
