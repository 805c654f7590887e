// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "arch/code.h"
#include "tests/support/fake_memory.h"

namespace xstack::test {

/// Functions by hand: code is what lies in one.
class FakeCode final : public CodeInfo {
 public:
  void add(std::string name, std::uint64_t start, std::uint64_t size) {
    functions_[start] = {std::move(name), GuestVirt(start), size, {}};
  }
  std::optional<CodeSymbol> function_at(GuestVirt at) override {
    auto next = functions_.upper_bound(at.value);
    if (next == functions_.begin()) {
      return std::nullopt;
    }
    const CodeSymbol& symbol = std::prev(next)->second;
    return at - symbol.start < symbol.size ? std::optional(symbol) : std::nullopt;
  }
  std::optional<bool> is_code(GuestVirt at) override { return function_at(at).has_value(); }
  std::optional<GuestVirt> address_of(std::string_view name) override {
    for (const auto& [start, symbol] : functions_) {
      if (symbol.name == name) {
        return GuestVirt(start);
      }
    }
    return std::nullopt;
  }

 private:
  std::map<std::uint64_t, CodeSymbol> functions_;
};

/// Consecutive 32-bit words.
inline void put_words(FakeVirt& memory, std::uint64_t at, std::initializer_list<std::uint32_t> words) {
  for (const std::uint32_t word : words) {
    memory.put<std::uint32_t>(GuestVirt(at), word);
    at += 4;
  }
}

}  // namespace xstack::test
