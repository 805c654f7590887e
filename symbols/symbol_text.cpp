// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "symbols/symbol_file.h"

namespace xstack {
namespace {

constexpr std::size_t kTypicalLine = 40;

constexpr std::array<std::int8_t, 256> kDigits = [] {
  std::array<std::int8_t, 256> values{};
  for (std::size_t c = 0; c < values.size(); ++c) {
    const auto digit = c >= '0' && c <= '9'   ? c - '0'
                       : c >= 'a' && c <= 'f' ? c - 'a' + 10
                       : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                              : 255;
    values[c] = digit < 16 ? static_cast<std::int8_t>(digit) : std::int8_t{-1};
  }
  return values;
}();

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// How many hexadecimal digits `text` begins with, up to 17, and their value.
struct Digits {
  std::size_t count = 0;
  std::uint64_t value = 0;
};
Digits take_digits(std::string_view text) {
  Digits digits;
  for (; digits.count < text.size() && digits.count < 17; ++digits.count) {
    const std::int8_t digit = kDigits[static_cast<unsigned char>(text[digits.count])];
    if (digit < 0) {
      break;
    }
    digits.value = digits.value << 4 | static_cast<std::uint64_t>(digit);
  }
  return digits;
}

/// One line; nothing added when it is not of the form.
void add_line(std::string_view line, SymbolTable& table) {
  // nm and the kernel pad addresses to a word: prose that begins with "be a" is no symbol.
  const Digits digits = take_digits(line);
  const std::string_view rest = line.substr(digits.count);
  if ((digits.count != 8 && digits.count != 16) || rest.size() < 4 || rest[0] != ' ' || !is_letter(rest[1]) ||
      rest[2] != ' ') {
    return;
  }
  std::string_view name = rest.substr(3);
  std::string_view module;
  // Few lines have anything behind the name.
  if (const auto blank = std::min({name.find(' '), name.find('\t'), name.size()}); blank != name.size()) {
    const std::string_view behind = name.substr(blank);
    name = name.substr(0, blank);
    const auto open = behind.find('[');
    const auto close = behind.find(']', open == std::string_view::npos ? 0 : open);
    if (open != std::string_view::npos && close != std::string_view::npos) {
      module = behind.substr(open + 1, close - open - 1);
    }
  } else if (name.ends_with('\r')) {
    name.remove_suffix(1);
  }
  table.add(digits.value, 0, rest[1], name, module);
}

}  // namespace

Result<SymbolTable> parse_symbol_text(std::string_view text) {
  // Debian's has the form of one symbol, "The" at the highest address.
  if (text.size() < 1024 && text.find("The real System.map is in") != std::string_view::npos) {
    return fail(Errc::bad_format,
                "a placeholder without symbols: the real System.map is in the kernel's debug package");
  }
  SymbolTable table;
  table.reserve(text.size() / kTypicalLine, text.size() / 2);
  for (std::string_view rest = text; !rest.empty();) {
    const void* newline = std::memchr(rest.data(), '\n', rest.size());
    const std::size_t length =
        newline == nullptr ? rest.size() : static_cast<std::size_t>(static_cast<const char*>(newline) - rest.data());
    add_line(rest.substr(0, length), table);
    rest.remove_prefix(std::min(rest.size(), length + 1));
  }
  if (table.empty()) {
    return fail(Errc::bad_format, "no symbols: neither System.map text nor an ELF image");
  }
  if (table.all_zero()) {
    return fail(Errc::bad_format,
                "every address is zero: it was read without the privilege to see them (kptr_restrict)");
  }
  table.sort();
  return table;
}

}  // namespace xstack
