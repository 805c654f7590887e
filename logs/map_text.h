// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "symbols/symbol_source.h"

namespace xstack::logs {

/// A System.map as it lies in its file: lines of one form, in the order of their addresses. Such a text can be searched
/// as it is, so nothing of it is copied: 4 bytes a line, and a pass that costs little more than reading it. Answers are
/// those of a SymbolTable of the same text.
class MapText {
 public:
  /// Nothing when `text` is not of that form in every line; it may be a list of symbols all the same. `owner` keeps it.
  [[nodiscard]] static std::optional<MapText> read(std::string_view text, std::shared_ptr<const void> owner);

  [[nodiscard]] std::optional<CodeSymbol> symbol_at(std::uint64_t address) const;
  /// Of each name its first symbol's, in the order of the names.
  [[nodiscard]] std::vector<std::optional<std::uint64_t>> addresses_of(std::span<const std::string_view> names) const;

  /// The address of a name that only one symbol has.
  [[nodiscard]] std::optional<std::uint64_t> only_address_of(std::string_view name) const;

  [[nodiscard]] std::size_t size() const { return begins_.size() - 1; }

  /// Calls `visit(name, address, size)` for each, in their order; `size` is always 0: the file does not say.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t i = 0; i < size(); ++i) {
      visit(name_of(i), address_of(i), std::uint64_t{0});
    }
  }

 private:
  MapText(std::string_view text, std::shared_ptr<const void> owner) : text_(text), owner_(std::move(owner)) {}
  [[nodiscard]] bool index();
  [[nodiscard]] std::uint64_t address_of(std::size_t line) const;
  [[nodiscard]] char type_of(std::size_t line) const { return text_[begins_[line] + digits_ + 1]; }
  [[nodiscard]] std::size_t name_length(std::size_t line) const {
    return begins_[line + 1] - begins_[line] - digits_ - 4;
  }
  [[nodiscard]] std::string_view name_of(std::size_t line) const {
    return text_.substr(begins_[line] + digits_ + 3, name_length(line));
  }

  std::string_view text_;
  std::shared_ptr<const void> owner_;
  std::size_t digits_ = 0;             ///< of each address: 8 or 16
  std::vector<std::uint32_t> begins_;  ///< where the lines of symbols begin, and where the text ends
};

}  // namespace xstack::logs
