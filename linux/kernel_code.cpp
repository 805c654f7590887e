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
  return std::any_of(text.begin(), text.end(), [&](const CodeRange& range) { return range.holds(address); }) ||
         linked(address).has_value();
}

std::optional<GuestVirt> KernelCode::linked(GuestVirt address) const {
  if (!physical_offset) {
    return std::nullopt;
  }
  for (const CodeRange& range : text) {
    const GuestVirt begin = range.begin + *physical_offset;
    if (address >= begin && address - begin < range.end - range.begin) {
      return address - *physical_offset;
    }
  }
  return std::nullopt;
}

std::optional<CodeSymbol> KernelCode::function_at(GuestVirt address) {
  if (modules != nullptr && modules->module_at(address) != nullptr) {
    return modules->symbol_at(address);
  }
  if (const auto at = linked(address)) {
    auto symbol = symbol_at(*at);
    if (symbol) {
      symbol->start += *physical_offset;
    }
    return symbol;
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
