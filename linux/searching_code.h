// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "linux/kallsyms.h"
#include "linux/kernel_code.h"

namespace xstack {

/// The kernel's symbols for a search that asks for thousands of functions: they are read through `search`, which keeps
/// nothing. Asked through `code` they would all end up in a capture, and be mapped one by one in a live guest.
class SearchingCode final : public CodeInfo {
 public:
  /// Everything is borrowed.
  SearchingCode(KernelCode& code, VirtMemory& search, const KallsymsTables& tables)
      : code_(code), kallsyms_(search, search, tables) {}

  [[nodiscard]] std::optional<CodeSymbol> function_at(GuestVirt address) override {
    return kallsyms_.symbol_at(address);
  }
  [[nodiscard]] std::optional<bool> is_code(GuestVirt address) override { return code_.is_code(address); }
  [[nodiscard]] std::optional<GuestVirt> address_of(std::string_view name) override { return code_.address_of(name); }

 private:
  KernelCode& code_;
  Kallsyms kallsyms_;
};

}  // namespace xstack
