// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "arch/code.h"
#include "symbols/symbol_source.h"

namespace xstack {

class ModuleSymbols;

/// A half-open range of run-time addresses.
struct CodeRange {
  GuestVirt begin;
  GuestVirt end;
  [[nodiscard]] bool holds(GuestVirt address) const { return address >= begin && address < end; }
};

/// CodeInfo over all that is known: files that the user gave first, then kallsyms, then the modules' own tables.
class KernelCode final : public CodeInfo {
 public:
  [[nodiscard]] std::optional<CodeSymbol> function_at(GuestVirt address) override;
  [[nodiscard]] std::optional<bool> is_code(GuestVirt address) override;
  [[nodiscard]] std::optional<GuestVirt> address_of(std::string_view name) override;
  /// As function_at(), and the kernel's data too.
  [[nodiscard]] std::optional<CodeSymbol> symbol_at(GuestVirt address);

  std::vector<std::unique_ptr<SymbolSource>> sources;  ///< in the order in which they are asked
  std::vector<CodeRange> text;                         ///< the kernel's; empty: not known
  ModuleSymbols* modules = nullptr;                    ///< may be null
  /// Added to an address of `text` it gives where that lies in physical memory: a CPU may run there before it has its
  /// MMU on. A physical address names the function at its link-time one.
  std::optional<std::uint64_t> physical_offset;

 private:
  /// The address in `text` of which `address` is the physical one.
  [[nodiscard]] std::optional<GuestVirt> linked(GuestVirt address) const;
};

}  // namespace xstack
