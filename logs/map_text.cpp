// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/map_text.h"

#include <algorithm>
#include <limits>
#include <string>

#include "logs/anchors.h"
#include "logs/words.h"
#include "symbols/aliases.h"

namespace xstack::logs {
namespace {

constexpr std::size_t kLongestName = 4096;  ///< a SymbolTable has none that are longer

/// As many digits as `text` has, or nothing when it holds anything else.
std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  int bad = 0;
  for (const char c : text) {
    const int digit = hex_value(c);
    bad |= digit;
    value = value << 4 | static_cast<std::uint64_t>(digit);
  }
  return bad < 0 ? std::nullopt : std::optional(value);
}

}  // namespace

std::optional<MapText> MapText::read(std::string_view text, std::shared_ptr<const void> owner) {
  MapText map(text, std::move(owner));
  return map.index() ? std::optional(std::move(map)) : std::nullopt;
}

/// Notes where the lines begin. False when one has another form: a module behind its name, another width, a smaller
/// address than the one before it, marks of the assembler's.
bool MapText::index() {
  if (text_.empty() || text_.size() >= std::numeric_limits<std::uint32_t>::max() || text_.back() != '\n') {
    return false;
  }
  digits_ = std::min(text_.find(' '), text_.size());
  if (digits_ != 8 && digits_ != 16) {
    return false;
  }
  // Blanks in names: two in each line are those around its letter. One pass over all is faster than one over each.
  const std::size_t lines = count_of('\n', text_);
  if (count_of(' ', text_) != 2 * lines || text_.find('\t') != std::string_view::npos ||
      text_.find('\r') != std::string_view::npos) {
    return false;
  }
  begins_.resize(lines + 1);
  std::uint64_t last = 0;
  std::string_view top;  // the first half of the last line's 16 digits, mostly that of the next
  std::uint64_t top_value = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < lines; ++i) {
    begins_[i] = static_cast<std::uint32_t>(at);
    const std::size_t end = text_.find('\n', at);
    std::string_view line = text_.substr(at, end - at);
    at = end + 1;
    if (line.size() < digits_ + 4 || line.size() > digits_ + 3 + kLongestName || line[digits_] != ' ' ||
        !is_letter(line[digits_ + 1]) || line[digits_ + 2] != ' ') {
      return false;
    }
    if (digits_ == 16 && line.substr(0, 8) != top) {
      top = line.substr(0, 8);
      const auto value = number_of(top);
      if (!value) {
        return false;
      }
      top_value = *value << 32;
    }
    const auto low = number_of(line.substr(digits_ - 8, 8));
    const std::string_view name = line.substr(digits_ + 3);
    const bool mark = (name[0] == '.' || name[0] == 'L' || name[0] == '$') && is_mapping_symbol(name);
    if (!low || (top_value | *low) < last || mark) {
      return false;
    }
    last = top_value | *low;
  }
  begins_[lines] = static_cast<std::uint32_t>(at);
  return last != 0;
}

std::uint64_t MapText::address_of(std::size_t line) const {
  return number_of(text_.substr(begins_[line], digits_)).value_or(0);
}

std::optional<CodeSymbol> MapText::symbol_at(std::uint64_t address) const {
  std::size_t above = 0;  // the first line whose address is larger
  for (std::size_t count = size(); count > 0;) {
    const std::size_t half = count / 2;
    if (address_of(above + half) <= address) {
      above += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  if (above == 0) {
    return std::nullopt;
  }
  const std::uint64_t start = address_of(above - 1);
  std::optional<std::size_t> best;
  for (std::size_t i = above; i != 0 && address_of(i - 1) == start; --i) {
    const std::size_t here = i - 1;
    const bool absolute = type_of(here) == 'A' || type_of(here) == 'a';
    // Backwards, and not worse replaces: the first of equals wins.
    if (!absolute &&
        (!best || alias_merit(type_of(here), name_of(here)) >= alias_merit(type_of(*best), name_of(*best)))) {
      best = here;
    }
  }
  const bool last = above == size();
  if (!best || (last && address != start)) {
    return std::nullopt;
  }
  return CodeSymbol{std::string(name_of(*best)), GuestVirt(start), last ? 0 : address_of(above) - start, {}};
}

std::vector<std::optional<std::uint64_t>> MapText::addresses_of(std::span<const std::string_view> names) const {
  std::vector<std::optional<std::uint64_t>> found(names.size());
  std::uint64_t lengths = 0;  // a bit for each that one of them has, modulo 64
  for (const std::string_view name : names) {
    lengths |= std::uint64_t{1} << (name.size() % 64);
  }
  for (std::size_t i = 0; i < size(); ++i) {
    if ((lengths >> (name_length(i) % 64) & 1U) == 0) {
      continue;
    }
    const std::string_view mine = name_of(i);
    for (std::size_t k = 0; k < names.size(); ++k) {
      if (!found[k] && names[k] == mine) {
        found[k] = address_of(i);
      }
    }
  }
  return found;
}

std::optional<std::uint64_t> MapText::only_address_of(std::string_view name) const {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < size(); ++i) {
    if (name_length(i) == name.size() && name_of(i) == name) {
      if (found) {
        return std::nullopt;
      }
      found = i;
    }
  }
  return found ? std::optional(address_of(*found)) : std::nullopt;
}

}  // namespace xstack::logs
