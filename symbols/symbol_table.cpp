// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/symbol_table.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "symbols/aliases.h"

namespace xstack {
namespace {

constexpr std::size_t kMaxName = 4096;
constexpr std::size_t kMaxNames = std::size_t{1} << 30;
constexpr std::size_t kMaxModules = 65535;
constexpr std::size_t kMaxSymbols = std::size_t{1} << 31;

constexpr std::uint64_t kPage = 4096;

bool is_code(char type) {
  return type == 'T' || type == 't' || type == 'W' || type == 'w';
}

bool is_absolute(char type) {
  return type == 'A' || type == 'a';
}

struct SortKey {
  std::uint32_t address;  ///< above the lowest of the window
  std::uint32_t index;
};

/// Stable, by address, lowest digit first.
void sort_by_digits(std::vector<SortKey>& keys) {
  constexpr unsigned kBits = 11;
  constexpr std::size_t kValues = std::size_t{1} << kBits;
  std::vector<SortKey> other(keys.size());
  for (unsigned shift = 0; shift < 32; shift += kBits) {
    std::array<std::uint32_t, kValues> next{};
    for (const SortKey& key : keys) {
      ++next[key.address >> shift & (kValues - 1)];
    }
    std::uint32_t sum = 0;
    for (std::uint32_t& place : next) {
      sum += std::exchange(place, sum);
    }
    for (const SortKey& key : keys) {
      other[next[key.address >> shift & (kValues - 1)]++] = key;
    }
    keys.swap(other);
  }
}

}  // namespace

void SymbolTable::add(std::uint64_t address, std::uint64_t size, char type, std::string_view name,
                      std::string_view module) {
  if (name.empty() || name.size() > kMaxName || names_.size() + name.size() > kMaxNames ||
      rows_.size() >= kMaxSymbols || is_mapping_symbol(name)) {
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

void SymbolTable::reserve(std::size_t symbols, std::size_t name_bytes) {
  rows_.reserve(symbols);
  names_.reserve(std::min(name_bytes, kMaxNames));
}

void SymbolTable::sort() {
  if (sorted_) {
    return;
  }
  sorted_ = true;
  const auto by_address = [](const Row& a, const Row& b) { return a.address < b.address; };
  const std::uint64_t high = std::max_element(rows_.begin(), rows_.end(), by_address)->address;
  const std::uint64_t window = high - std::min<std::uint64_t>(high, std::numeric_limits<std::uint32_t>::max());
  // A kernel's 200,000 symbols are within 4 GiB, where they are sorted digit by digit, which takes less than comparing
  // them; only absolute ones lie below.
  std::vector<Row> below;
  auto kept = rows_.begin();
  for (const Row& row : rows_) {
    if (row.address < window) {
      below.push_back(row);
    } else {
      *kept++ = row;
    }
  }
  rows_.erase(kept, rows_.end());
  std::stable_sort(below.begin(), below.end(), by_address);
  std::vector<SortKey> keys(rows_.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i] = {static_cast<std::uint32_t>(rows_[i].address - window), static_cast<std::uint32_t>(i)};
  }
  sort_by_digits(keys);
  // Each row goes to its place along the cycles of the permutation: no second table is made.
  for (std::uint32_t i = 0; i < keys.size(); ++i) {
    const Row first = rows_[i];
    std::uint32_t to = i;
    while (keys[to].index != i) {
      const std::uint32_t from = std::exchange(keys[to].index, to);
      rows_[to] = rows_[from];
      to = from;
    }
    keys[to].index = to;
    rows_[to] = first;
  }
  rows_.insert(rows_.begin(), below.begin(), below.end());
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

bool SymbolTable::is_module_code(std::uint64_t address) const {
  const auto above = std::upper_bound(rows_.begin(), rows_.end(), address,
                                      [](std::uint64_t value, const Row& row) { return value < row.address; });
  if (above == rows_.begin()) {
    return false;
  }
  const Row& below = *(above - 1);
  const bool last = above == rows_.end() || above->module != below.module;
  if (below.module == 0 || (last && (address ^ below.address) >= kPage)) {
    return false;
  }
  for (auto row = above; row != rows_.begin() && (row - 1)->address == below.address; --row) {
    if (is_code(row[-1].type)) {
      return true;
    }
  }
  return false;
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
