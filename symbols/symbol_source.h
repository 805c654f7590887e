// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "arch/code.h"
#include "base/address.h"

namespace xstack {

/// A table of names: kallsyms in guest memory, System.map, a /proc/kallsyms copy, an ELF image. Addresses are run-time
/// ones: a source made from a file knows its slide (KASLR offset) and applies it.
class SymbolSource {
 public:
  SymbolSource() = default;
  SymbolSource(const SymbolSource&) = delete;
  SymbolSource& operator=(const SymbolSource&) = delete;
  virtual ~SymbolSource() = default;

  /// For people and JSON: "kallsyms", "System.map:/path", "vmlinux:/path".
  [[nodiscard]] virtual std::string describe() const = 0;

  /// The symbol that covers `address`; of several at one address the one that the kernel's own table puts first
  /// (alias_merit() of symbols/aliases.h). Nothing below the first or above the end of the last.
  [[nodiscard]] virtual std::optional<CodeSymbol> symbol_at(GuestVirt address) = 0;

  /// The address of the first symbol of exactly this name.
  [[nodiscard]] virtual std::optional<GuestVirt> address_of(std::string_view name) = 0;
};

}  // namespace xstack
