// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/symbol_source.h"

namespace xstack {

/// Symbols read from a file, sorted by address. Names are stored one after the other; a row costs 24 bytes.
class SymbolTable {
 public:
  /// `type` is the nm letter; `size` 0 when the file does not say.
  void add(std::uint64_t address, std::uint64_t size, char type, std::string_view name, std::string_view module = {});
  /// Makes room for so many symbols with names of so many bytes.
  void reserve(std::size_t symbols, std::size_t name_bytes);
  /// After the last add().
  void sort();

  [[nodiscard]] std::size_t size() const { return rows_.size(); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// Is every address zero? That is what /proc/kallsyms shows to those who may not see addresses.
  [[nodiscard]] bool all_zero() const { return nonzero_ == 0 && !rows_.empty(); }

  /// As SymbolSource, with addresses as the file has them; address_of() knows the kernel's own symbols, not modules'.
  [[nodiscard]] std::optional<CodeSymbol> symbol_at(std::uint64_t address) const;
  [[nodiscard]] std::optional<std::uint64_t> address_of(std::string_view name) const;

  /// Is there code of a module, as far as its symbols tell? The last of them reaches to the end of its page.
  [[nodiscard]] bool is_module_code(std::uint64_t address) const;
  [[nodiscard]] bool has_modules() const { return modules_.size() > 1; }

  /// Calls `visit(name, address, size)` for the kernel's own symbols, in the order of their addresses; size 0 when the
  /// file does not say.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Row& row : rows_) {
      if (row.module == 0) {
        visit(name_of(row), row.address, std::uint64_t{row.size});
      }
    }
  }

 private:
  struct Row {
    std::uint64_t address;
    std::uint32_t size;  ///< 0: up to the next symbol
    std::uint32_t name;  ///< offset in names_
    std::uint16_t name_length;
    std::uint16_t module;  ///< index in modules_
    char type;
  };
  [[nodiscard]] std::string_view name_of(const Row& row) const {
    return std::string_view(names_).substr(row.name, row.name_length);
  }

  std::vector<Row> rows_;
  std::string names_;
  std::vector<std::string> modules_{std::string()};
  std::map<std::string, std::uint16_t, std::less<>> module_index_{{std::string(), 0}};
  std::uint16_t last_module_ = 0;
  std::size_t nonzero_ = 0;
  bool sorted_ = true;
};

/// A SymbolTable with the slide that its kernel was given.
class FileSymbols final : public SymbolSource {
 public:
  FileSymbols(SymbolTable table, std::string description, std::uint64_t slide)
      : table_(std::move(table)), description_(std::move(description)), slide_(slide) {}
  [[nodiscard]] std::string describe() const override { return description_; }
  [[nodiscard]] std::optional<CodeSymbol> symbol_at(GuestVirt address) override;
  [[nodiscard]] std::optional<GuestVirt> address_of(std::string_view name) override;

 private:
  SymbolTable table_;
  std::string description_;
  std::uint64_t slide_;
};

}  // namespace xstack
