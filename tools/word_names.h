// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "arch/code.h"
#include "tools/report.h"

namespace xstack {

/// Names those of `words` that are addresses in code that has a name: what -S and -d show beside the words. Only words
/// that `code` knows to be in code are named: a symbol table alone has a name for any address above its first symbol.
[[nodiscard]] std::vector<WordName> name_words(std::span<const std::uint64_t> words, CodeInfo& code);

/// The same for memory as bytes, read as words of `word_size` bytes (4 or 8).
[[nodiscard]] std::vector<WordName> name_words(std::span<const std::byte> bytes, unsigned word_size, CodeInfo& code);

}  // namespace xstack
