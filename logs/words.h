// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

/// Small readers of log text. Each works on a view and never beyond it.
namespace xstack::logs {

[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
/// Of each byte; -1 for what is no hexadecimal digit.
inline constexpr std::array<std::int8_t, 256> kHexValues = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < 16; ++i) {
    values["0123456789abcdef"[i]] = static_cast<std::int8_t>(i);
    values["0123456789ABCDEF"[i]] = static_cast<std::int8_t>(i);
  }
  return values;
}();
[[nodiscard]] constexpr int hex_value(char c) {
  return kHexValues[static_cast<unsigned char>(c)];
}
[[nodiscard]] constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
[[nodiscard]] constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/// text.starts_with(word), with a look at the first character before anything else: most words are not there. Inlined
/// everywhere, so that words that are known are compared without a call.
[[nodiscard, gnu::always_inline]] constexpr bool begins(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && text.front() == word.front() && text.substr(0, word.size()) == word;
}

/// Removes `word` from the front of `text`, or says that it is not there.
[[nodiscard, gnu::always_inline]] constexpr bool take(std::string_view& text, std::string_view word) {
  if (!begins(text, word)) {
    return false;
  }
  text.remove_prefix(word.size());
  return true;
}

/// What a text may begin with, and something for each of these words. Only those with the text's first letter are
/// compared, longer ones before shorter.
template <class Value, std::size_t N>
class WordMap {
 public:
  using Entry = std::pair<std::string_view, Value>;

  constexpr explicit WordMap(std::array<Entry, N> entries) : entries_(std::move(entries)) {
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      const char first = a.first.front();
      const char other = b.first.front();
      return first != other ? static_cast<unsigned char>(first) < static_cast<unsigned char>(other)
                            : a.first.size() > b.first.size();
    });
    for (std::size_t c = 0, i = 0; c <= 256; ++c) {
      while (i < N && static_cast<unsigned char>(entries_[i].first.front()) < c) {
        ++i;
      }
      first_[c] = static_cast<std::uint16_t>(i);
    }
  }

  /// Of the longest word that `text` begins with; null when it begins with none.
  [[nodiscard]] constexpr const Value* find(std::string_view text) const {
    if (text.empty()) {
      return nullptr;
    }
    const auto letter = static_cast<unsigned char>(text.front());
    for (std::size_t i = first_[letter]; i < first_[letter + 1U]; ++i) {
      if (begins(text, entries_[i].first)) {
        return &entries_[i].second;
      }
    }
    return nullptr;
  }

 private:
  std::array<Entry, N> entries_;
  std::array<std::uint16_t, 257> first_{};
};

/// Words alone.
template <std::size_t N>
class WordSet {
 public:
  constexpr explicit WordSet(const std::array<std::string_view, N>& words) : map_(entries(words)) {}
  [[nodiscard]] constexpr bool begins(std::string_view text) const { return map_.find(text) != nullptr; }

 private:
  struct Nothing {};
  static constexpr auto entries(const std::array<std::string_view, N>& words) {
    std::array<std::pair<std::string_view, Nothing>, N> entries{};
    for (std::size_t i = 0; i < N; ++i) {
      entries[i].first = words[i];
    }
    return entries;
  }
  WordMap<Nothing, N> map_;
};

constexpr void skip_blanks(std::string_view& text) {
  while (!text.empty() && is_blank(text.front())) {
    text.remove_prefix(1);
  }
}

[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) {
  skip_blanks(text);
  while (!text.empty() && (is_blank(text.back()) || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

/// A decimal number at the front, taken; nothing when there is none or it is beyond 32 bits.
[[nodiscard]] constexpr std::optional<unsigned> take_decimal(std::string_view& text) {
  std::uint64_t value = 0;
  std::size_t n = 0;
  for (; n < text.size() && is_digit(text[n]); ++n) {
    value = value * 10 + static_cast<std::uint64_t>(text[n] - '0');
    if (value > 0xffffffffULL) {
      return std::nullopt;
    }
  }
  if (n == 0) {
    return std::nullopt;
  }
  text.remove_prefix(n);
  return static_cast<unsigned>(value);
}

/// A hexadecimal number of `least` to 16 digits at the front, taken, without 0x; nothing when there is none.
[[nodiscard]] constexpr std::optional<std::uint64_t> take_hex(std::string_view& text, std::size_t least = 1) {
  std::uint64_t value = 0;
  std::size_t n = 0;
  for (; n < text.size() && hex_value(text[n]) >= 0; ++n) {
    if (n == 16) {
      return std::nullopt;
    }
    value = value << 4 | static_cast<std::uint64_t>(hex_value(text[n]));
  }
  if (n < least) {
    return std::nullopt;
  }
  text.remove_prefix(n);
  return value;
}

/// The decimal number right behind `key`, wherever that is: number_after("CPU: 3 PID: 9", "PID: ") is 9.
[[nodiscard]] constexpr std::optional<unsigned> number_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(at + key.size());
  return take_decimal(text);
}

/// What stands between `key` and the next `end` (or the end of the text); empty when `key` is not there.
[[nodiscard]] constexpr std::string_view text_after(std::string_view text, std::string_view key, std::string_view end) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) {
    return {};
  }
  text.remove_prefix(at + key.size());
  return text.substr(0, text.find(end));
}

}  // namespace xstack::logs
