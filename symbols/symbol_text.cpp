// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <charconv>
#include <cstring>

#include "symbols/symbol_file.h"

namespace xstack {
namespace {

constexpr std::size_t kTypicalLine = 40;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

/// One line; nothing added when it is not of the form.
void add_line(std::string_view line, SymbolTable& table) {
  std::uint64_t address = 0;
  const char* const end = line.data() + line.size();
  const auto [at, error] = std::from_chars(line.data(), end, address, 16);
  // nm and the kernel pad addresses to a word: prose that begins with "be a" is no symbol.
  const auto digits = at - line.data();
  if (error != std::errc() || (digits != 8 && digits != 16) || end - at < 4 || at[0] != ' ' || !is_letter(at[1]) ||
      at[2] != ' ') {
    return;
  }
  std::string_view name(at + 3, static_cast<std::size_t>(end - at - 3));
  std::string_view module;
  if (const auto blank = static_cast<std::size_t>(std::ranges::find_if(name, is_blank) - name.begin());
      blank != name.size()) {
    const std::string_view rest = name.substr(blank);
    name = name.substr(0, blank);
    const auto open = rest.find('[');
    const auto close = rest.find(']', open == std::string_view::npos ? 0 : open);
    if (open != std::string_view::npos && close != std::string_view::npos) {
      module = rest.substr(open + 1, close - open - 1);
    }
  }
  table.add(address, 0, at[1], name, module);
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
