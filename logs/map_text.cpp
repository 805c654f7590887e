// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/map_text.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "base/endian.h"
#include "logs/anchors.h"
#include "logs/words.h"
#include "symbols/aliases.h"

namespace xstack::logs {
namespace {

constexpr std::size_t kLongestName = 4096;  ///< a SymbolTable has none that are longer

constexpr std::uint64_t kOnes = 0x0101010101010101;

inline std::uint64_t eight_bytes(const char* text) {
  return load_le<std::uint64_t>(reinterpret_cast<const std::byte*>(text));
}

/// The values of eight digits, one in each byte. What is no digit has some value too.
inline std::uint64_t values_of(std::uint64_t bytes) {
  return (bytes & 0x0f * kOnes) + 9 * (bytes >> 6 & kOnes);
}

/// Are all eight digits of those that nm and the kernel print: what these values would be printed as must be there.
inline bool are_digits(std::uint64_t bytes) {
  const std::uint64_t values = values_of(bytes);
  const std::uint64_t beyond_nine = (values + 6 * kOnes) >> 4 & kOnes;
  return (values & 0xf0 * kOnes) == 0 && 0x30 * kOnes + values + 0x27 * beyond_nine == bytes;
}

/// Eight digits at once.
inline std::uint64_t eight_digits(const char* text) {
  const std::uint64_t digits = values_of(eight_bytes(text));
  // The first is the highest: pairs, fours, all.
  const std::uint64_t pairs = (digits << 4 | digits >> 8) & 0x00ff00ff00ff00ff;
  const std::uint64_t fours = (pairs << 8 | pairs >> 16) & 0x0000ffff0000ffff;
  return (fours << 16 | fours >> 32) & 0xffffffff;
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
  std::uint32_t* begin = begins_.data();
  const char* const text_end = text_.data() + text_.size();
  std::uint64_t last_high = 0x30 * kOnes;  // zeros
  std::uint64_t last_low = 0x30 * kOnes;
  for (const char* line = text_.data(); line != text_end;) {
    const auto* const end =
        static_cast<const char*>(std::memchr(line, '\n', static_cast<std::size_t>(text_end - line)));
    const auto length = static_cast<std::size_t>(end - line);
    if (length < digits_ + 4 || length > digits_ + 3 + kLongestName || line[digits_] != ' ' ||
        !is_letter(line[digits_ + 1]) || line[digits_ + 2] != ' ') {
      return false;
    }
    // Digits are in the order of their characters: texts are compared, not numbers.
    const std::uint64_t high = digits_ == 16 ? eight_bytes(line) : last_high;
    const std::uint64_t low = eight_bytes(line + digits_ - 8);
    if (!are_digits(low) || (high == last_high && __builtin_bswap64(low) < __builtin_bswap64(last_low))) {
      return false;
    }
    if (high != last_high) {
      if (!are_digits(high) || __builtin_bswap64(high) < __builtin_bswap64(last_high)) {
        return false;
      }
      last_high = high;
    }
    last_low = low;
    const char* const name = line + digits_ + 3;
    if ((*name == '.' || *name == 'L' || *name == '$') && is_mapping_symbol({name, end})) {
      return false;
    }
    *begin++ = static_cast<std::uint32_t>(line - text_.data());
    line = end + 1;
  }
  *begin = static_cast<std::uint32_t>(text_.size());
  return last_high != 0x30 * kOnes || last_low != 0x30 * kOnes;
}

std::uint64_t MapText::address_of(std::size_t line) const {
  const char* at = text_.data() + begins_[line];
  const std::uint64_t low = eight_digits(at + digits_ - 8);
  return digits_ == 16 ? eight_digits(at) << 32 | low : low;
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
  const std::size_t count = size();
  const std::uint32_t* const begin = begins_.data();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t length = begin[i + 1] - begin[i] - digits_ - 4;
    if ((lengths >> (length % 64) & 1U) == 0) {
      continue;
    }
    const char* const mine = text_.data() + begin[i] + digits_ + 3;
    for (std::size_t k = 0; k < names.size(); ++k) {
      if (!found[k] && names[k].size() == length && names[k].front() == *mine &&
          names[k] == std::string_view(mine, length)) {
        found[k] = address_of(i);
      }
    }
  }
  return found;
}

std::optional<std::uint64_t> MapText::only_address_of(std::string_view name) const {
  std::optional<std::size_t> found;
  const std::size_t count = size();
  const std::uint32_t* const begin = begins_.data();
  const std::size_t length = name.size() + digits_ + 4;
  for (std::size_t i = 0; i < count; ++i) {
    if (begin[i + 1] - begin[i] == length && name_of(i) == name) {
      if (found) {
        return std::nullopt;
      }
      found = i;
    }
  }
  return found ? std::optional(address_of(*found)) : std::nullopt;
}

}  // namespace xstack::logs
