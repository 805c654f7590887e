// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/word_names.h"

#include <utility>

#include "base/endian.h"

namespace xstack {

std::vector<WordName> name_words(std::span<const std::uint64_t> words, CodeInfo& code) {
  std::vector<WordName> names;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const GuestVirt address(words[i]);
    if (!code.is_code(address).value_or(false)) {
      continue;
    }
    // Most such words are return addresses: the call before them is what their name should be of.
    auto symbol = code.function_at(address - 1);
    if (!symbol) {
      symbol = code.function_at(address);
    }
    if (!symbol) {
      continue;
    }
    WordName name;
    name.index = i;
    name.offset = address - symbol->start;
    if (symbol->size != 0) {
      name.size = symbol->size;
    }
    if (!symbol->module.empty()) {
      name.module = std::move(symbol->module);
    }
    name.symbol = std::move(symbol->name);
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<WordName> name_words(std::span<const std::byte> bytes, unsigned word_size, CodeInfo& code) {
  std::vector<std::uint64_t> words;
  for (std::size_t at = 0; bytes.size() - at >= word_size; at += word_size) {
    const std::byte* word = bytes.data() + at;
    words.push_back(word_size == 4 ? load_le<std::uint32_t>(word) : load_le<std::uint64_t>(word));
  }
  return name_words(words, code);
}

}  // namespace xstack
