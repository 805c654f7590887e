// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kernel_code.h"

#include <algorithm>

#include "linux/module_symbols.h"

namespace xstack {

std::optional<bool> KernelCode::is_code(GuestVirt address) {
  if (modules != nullptr && modules->module_at(address) != nullptr) {
    return true;
  }
  if (text.empty()) {
    return std::nullopt;
  }
  return std::any_of(text.begin(), text.end(), [&](const CodeRange& range) { return range.holds(address); });
}

std::optional<CodeSymbol> KernelCode::function_at(GuestVirt address) {
  if (modules != nullptr && modules->module_at(address) != nullptr) {
    return modules->symbol_at(address);
  }
  return is_code(address) == false ? std::nullopt : symbol_at(address);
}

std::optional<CodeSymbol> KernelCode::symbol_at(GuestVirt address) {
  if (modules != nullptr && modules->module_at(address) != nullptr) {
    return modules->symbol_at(address);
  }
  for (const auto& source : sources) {
    if (auto symbol = source->symbol_at(address)) {
      return symbol;
    }
  }
  return std::nullopt;
}

std::optional<GuestVirt> KernelCode::address_of(std::string_view name) {
  for (const auto& source : sources) {
    if (const auto address = source->address_of(name)) {
      return address;
    }
  }
  return std::nullopt;
}

}  // namespace xstack
