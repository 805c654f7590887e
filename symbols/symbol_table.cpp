// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/symbol_table.h"

#include <algorithm>
#include <limits>

#include "symbols/aliases.h"

namespace xstack {
namespace {

constexpr std::size_t kMaxName = 4096;
constexpr std::size_t kMaxNames = std::size_t{1} << 30;
constexpr std::size_t kMaxModules = 65535;

bool is_absolute(char type) {
  return type == 'A' || type == 'a';
}

}  // namespace

void SymbolTable::add(std::uint64_t address, std::uint64_t size, char type, std::string_view name,
                      std::string_view module) {
  if (name.empty() || name.size() > kMaxName || names_.size() + name.size() > kMaxNames || is_mapping_symbol(name)) {
    return;
  }
  if (modules_[last_module_] != module) {
    const auto known = module_index_.find(module);
    if (known != module_index_.end()) {
      last_module_ = known->second;
    } else if (modules_.size() < kMaxModules) {
      last_module_ = static_cast<std::uint16_t>(modules_.size());
      modules_.emplace_back(module);
      module_index_.emplace(module, last_module_);
    } else {
      return;
    }
  }
  constexpr std::uint64_t kMaxSize = std::numeric_limits<std::uint32_t>::max();
  rows_.push_back({address, static_cast<std::uint32_t>(std::min(size, kMaxSize)),
                   static_cast<std::uint32_t>(names_.size()), static_cast<std::uint16_t>(name.size()), last_module_,
                   type});
  names_ += name;
  nonzero_ += address != 0 ? 1 : 0;
  sorted_ = sorted_ && (rows_.size() < 2 || rows_[rows_.size() - 2].address <= address);
}

void SymbolTable::sort() {
  if (!sorted_) {
    std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.address < b.address; });
    sorted_ = true;
  }
}

std::optional<CodeSymbol> SymbolTable::symbol_at(std::uint64_t address) const {
  const auto above = std::upper_bound(rows_.begin(), rows_.end(), address,
                                      [](std::uint64_t value, const Row& row) { return value < row.address; });
  if (above == rows_.begin()) {
    return std::nullopt;
  }
  const std::uint64_t start = (above - 1)->address;
  const Row* best = nullptr;
  std::uint64_t size = 0;
  for (auto row = above; row != rows_.begin() && (row - 1)->address == start; --row) {
    const Row& here = *(row - 1);
    size = std::max<std::uint64_t>(size, here.size);
    // Backwards, and not worse replaces: the first of equals wins.
    if (!is_absolute(here.type) &&
        (best == nullptr || alias_merit(here.type, name_of(here)) >= alias_merit(best->type, name_of(*best)))) {
      best = &here;
    }
  }
  const bool last = above == rows_.end();
  if (best == nullptr || (last && size == 0 && address != start) || (last && size != 0 && address - start >= size)) {
    return std::nullopt;
  }
  const std::uint64_t length = last ? size : above->address - start;
  return CodeSymbol{std::string(name_of(*best)), GuestVirt(start), length, modules_[best->module]};
}

std::optional<std::uint64_t> SymbolTable::address_of(std::string_view name) const {
  for (const Row& row : rows_) {
    if (row.module == 0 && row.name_length == name.size() && name_of(row) == name) {
      return row.address;
    }
  }
  return std::nullopt;
}

std::optional<CodeSymbol> FileSymbols::symbol_at(GuestVirt address) {
  auto symbol = table_.symbol_at(address.value - slide_);
  if (symbol) {
    symbol->start += slide_;
  }
  return symbol;
}

std::optional<GuestVirt> FileSymbols::address_of(std::string_view name) {
  const auto address = table_.address_of(name);
  return address ? std::optional(GuestVirt(*address + slide_)) : std::nullopt;
}

}  // namespace xstack
