// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>

#include "arch/code.h"

namespace xstack::test {

/// Functions that a test names; code is what they cover.
class FakeCode final : public CodeInfo {
 public:
  void add(std::uint64_t start, std::uint64_t size, const std::string& name) {
    functions_[start] = CodeSymbol{name, GuestVirt(start), size, {}};
  }
  [[nodiscard]] std::optional<CodeSymbol> function_at(GuestVirt address) override {
    auto at = functions_.upper_bound(address.value);
    if (at == functions_.begin()) {
      return std::nullopt;
    }
    --at;
    return address - at->second.start < at->second.size ? std::optional(at->second) : std::nullopt;
  }
  [[nodiscard]] std::optional<bool> is_code(GuestVirt address) override {
    return knows_extent ? std::optional(function_at(address).has_value()) : std::nullopt;
  }
  [[nodiscard]] std::optional<GuestVirt> address_of(std::string_view name) override {
    for (const auto& [start, function] : functions_) {
      if (function.name == name) {
        return GuestVirt(start);
      }
    }
    return std::nullopt;
  }

  bool knows_extent = true;  ///< false: as of a file of symbols that does not say where code begins and ends

 private:
  std::map<std::uint64_t, CodeSymbol> functions_;
};

}  // namespace xstack::test
