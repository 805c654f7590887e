// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/endian.h"
#include "base/text.h"
#include "tools/print/text.h"

namespace xstack::text {
namespace {

/// A dump before it has lines.
struct Words {
  GuestVirt from;
  unsigned word_size;
  std::span<const std::uint64_t> words;
  std::span<const WordName> names;
};

std::string ascii(std::span<const std::uint64_t> words, unsigned word_size) {
  std::string out;
  for (const std::uint64_t word : words) {
    for (unsigned i = 0; i < word_size; ++i) {
      const auto c = static_cast<char>(word >> (8 * i) & 0xff);
      out += c >= 0x20 && c < 0x7f ? c : '.';
    }
  }
  return out;
}

/// How many of the words the format lets through.
std::size_t shown(const Words& dump, const DumpFormat& format, std::size_t words_per_line) {
  std::uint64_t limit = dump.words.size();
  if (format.lines && *format.lines < std::numeric_limits<std::uint32_t>::max()) {
    limit = std::min(limit, *format.lines * words_per_line);
  }
  if (format.stack_pages) {
    const std::uint64_t to_page_end = kXenPageSize - dump.from.value % kXenPageSize;
    limit = std::min(limit, (to_page_end + (*format.stack_pages - 1) * kXenPageSize) / dump.word_size);
  }
  return static_cast<std::size_t>(limit);
}

std::string rows(const Words& dump, const DumpFormat& format, std::size_t words_per_line) {
  std::string out;
  const auto words = dump.words;
  for (std::size_t at = 0; at < words.size(); at += words_per_line) {
    const auto row = words.subspan(at, std::min(words_per_line, words.size() - at));
    std::string line = "   ";
    if (format.tag) {
      line += fmt::format(" {}:", hex((dump.from + at * dump.word_size).value, dump.word_size * 8));
    }
    for (const std::uint64_t word : row) {
      line += " " + hex(word, dump.word_size * 8);
    }
    if (format.ascii) {
      const std::size_t missing = (words_per_line - row.size()) * (1 + 2 * static_cast<std::size_t>(dump.word_size));
      line += fmt::format("{:{}}  {}", "", missing, ascii(row, dump.word_size));
    }
    out += line + "\n";
  }
  return out;
}

/// One word a line, named where it is an address of code; with `only_named`, just those.
std::string word_lines(const Words& dump, bool only_named, const Style& style) {
  std::string out;
  const auto* name = dump.names.data();
  const auto* const end = name + dump.names.size();
  for (std::size_t i = 0; i < dump.words.size(); ++i) {
    while (name != end && name->index < i) {
      ++name;
    }
    const bool named = name != end && name->index == i;
    if (!named && only_named) {
      continue;
    }
    const std::string address = hex((dump.from + i * dump.word_size).value, dump.word_size * 8);
    const std::string word = hex(dump.words[i], dump.word_size * 8);
    if (named) {
      out += fmt::format("    {}: [<{}>] {}\n", address, word,
                         style.guess("? " + symbol(name->symbol, name->offset, name->size, name->module)));
    } else {
      out += fmt::format("    {}:   {}\n", address, word);
    }
  }
  return out;
}

std::size_t words_per_line(const DumpFormat& format, unsigned word_size) {
  return std::max(1U, format.bytes_per_line / word_size);
}

/// The words, and where they end when that is before what was to be shown.
std::string body(const Words& all, const DumpFormat& format, const std::optional<std::string>& ended,
                 const Style& style) {
  const std::size_t per_line = words_per_line(format, all.word_size);
  const std::size_t count = shown(all, format, per_line);
  const Words dump{all.from, all.word_size, all.words.first(count), all.names};
  std::string out = format.word_by_word ? word_lines(dump, false, style) : rows(dump, format, per_line);
  if (ended && count == all.words.size()) {
    out += fmt::format("    <{}>\n", style.alarm(escape(*ended)));
  }
  return out;
}

}  // namespace

std::string stack(const StackDump& stack, const DumpFormat& format, const Style& style) {
  if (format.lines && *format.lines == 0) {
    return "";
  }
  return fmt::format("  Stack from {}:\n", hex(stack.from.value, stack.word_size * 8)) +
         body({stack.from, stack.word_size, stack.words, stack.names}, format, stack.ended, style);
}

std::string memory(const MemoryDump& memory, unsigned word_size, bool as_stack, const DumpFormat& format,
                   const Style& style) {
  std::vector<std::uint64_t> words;
  for (std::size_t at = 0; memory.bytes.size() - at >= word_size; at += word_size) {
    const std::byte* bytes = memory.bytes.data() + at;
    words.push_back(word_size == 4 ? load_le<std::uint32_t>(bytes) : load_le<std::uint64_t>(bytes));
  }
  const Words dump{memory.from, word_size, words, memory.names};
  std::string out = fmt::format("{} at {}:\n", as_stack ? "Stack" : "Memory", hex(memory.from.value, word_size * 8)) +
                    body(dump, format, memory.ended, style);
  if (as_stack && !format.word_by_word && !memory.names.empty()) {
    out += "  Words that are addresses of code:\n" + word_lines(dump, true, style);
  }
  return out;
}

}  // namespace xstack::text
