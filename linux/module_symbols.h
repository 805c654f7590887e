// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "arch/code.h"
#include "guest/memory.h"
#include "linux/kernel.h"

namespace xstack {

/// Where a module's own symbol table is: struct mod_kallsyms (include/linux/module.h, 4.5 on; before, the same three
/// members of struct module).
struct ModuleTable {
  GuestVirt symtab;  ///< Elf32_Sym or Elf64_Sym, with final addresses
  std::uint32_t count = 0;
  GuestVirt strtab;
  friend bool operator==(const ModuleTable&, const ModuleTable&) = default;
};

/// A module with where its symbols are.
struct FoundModule {
  KernelModule module;
  std::optional<ModuleTable> table;
};

/// Names in modules, read from their symbol tables when an address hits one.
class ModuleSymbols {
 public:
  /// `memory` must outlive this. `thumb`: the lowest bit of a function's value marks Thumb code and is cleared.
  ModuleSymbols(VirtMemory& memory, std::vector<FoundModule> modules, unsigned word_size, bool thumb);

  /// The module whose text covers `address`; null when none does.
  [[nodiscard]] const FoundModule* module_at(GuestVirt address) const;
  /// The function there: the module's name alone (no symbol) is no answer.
  [[nodiscard]] std::optional<CodeSymbol> symbol_at(GuestVirt address);

  [[nodiscard]] const std::vector<FoundModule>& modules() const { return modules_; }

 private:
  VirtMemory& memory_;
  std::vector<FoundModule> modules_;
  unsigned word_size_;
  bool thumb_;
};

}  // namespace xstack
