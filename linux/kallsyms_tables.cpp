// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kallsyms_tables.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/checked.h"
#include "base/endian.h"
#include "linux/kallsyms_addresses.h"
#include "linux/mapped_scan.h"

namespace xstack {
namespace {

constexpr std::size_t kTokens = 256;
constexpr std::size_t kMaxTokenTable = 16384;     // 256 strings; the largest seen has 1088 bytes
constexpr std::size_t kMarkersWindow = 4U << 20;  // seqs of a million symbols and their markers
constexpr std::size_t kFirstMarkers = 32U << 10;  // of that, what is read at first
constexpr std::uint64_t kMinBlock = 0x200;        // 256 records of at least two bytes
constexpr std::uint64_t kMaxBlock = 0x20000;      // 256 records of 512 bytes
constexpr std::uint64_t kMaxNames = 64U << 20;
constexpr unsigned kMaxTries = 32;        // of places that look like markers, and of counts beside names
constexpr std::uint32_t kMinMarkers = 4;  // a kernel with fewer than a thousand symbols is none

struct Tokens {
  GuestVirt table;
  std::uint32_t bytes = 0;
  GuestVirt index;
};

/// Section 1: from the digits to the whole token table. The index, 256 u16 offsets, stands after the strings and names
/// the offset of the digits itself: so the table's start need not be guessed, and every entry is checked.
std::optional<Tokens> locate_tokens(VirtMemory& search, GuestVirt digits) {
  std::vector<std::byte> bytes(kMaxTokenTable);
  read_tolerant(search, digits, bytes);
  // From '0' (token 0x30) to the end of token 0xff.
  std::vector<std::size_t> starts;
  std::size_t at = 0;
  for (std::size_t token = 0x30; token < kTokens; ++token) {
    starts.push_back(at);
    while (at < bytes.size() && bytes[at] != std::byte{0}) {
      ++at;
    }
    if (++at >= bytes.size()) {
      return std::nullopt;
    }
  }
  for (std::size_t pad = 0; pad < 8; ++pad) {
    const std::size_t index = at + pad;
    if ((digits + index).value % 4 != 0 || index + 2 * kTokens > bytes.size()) {
      continue;
    }
    const auto entry = [&](std::size_t token) { return load_le<std::uint16_t>(bytes.data() + index + 2 * token); };
    const std::size_t zero = entry(0x30);
    bool right = entry(0) == 0 && zero >= 0x30;
    for (std::size_t i = 0; right && i < starts.size(); ++i) {
      right = entry(0x30 + i) == zero + starts[i];
    }
    if (!right) {
      continue;
    }
    const GuestVirt table = digits - zero;
    std::vector<std::byte> front(zero);
    read_tolerant(search, table, front);
    for (std::size_t token = 1; right && token < 0x30; ++token) {
      right = entry(token) > entry(token - 1) && entry(token) < zero && front[entry(token) - 1U] == std::byte{0};
    }
    if (right) {
      return Tokens{table, static_cast<std::uint32_t>(zero + at), digits + index};
    }
  }
  return std::nullopt;
}

struct Names {
  GuestVirt num_syms;
  std::uint32_t count = 0;
  GuestVirt names;
  GuestVirt names_end;
};

/// Steps over `records` name records; the offset after them, or nothing when they are not all in `bytes`.
std::optional<std::size_t> step_records(std::span<const std::byte> bytes, std::size_t records) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < records; ++i) {
    if (at >= bytes.size()) {
      return std::nullopt;
    }
    auto length = std::to_integer<std::size_t>(bytes[at++]);
    if ((length & 0x80) != 0) {  // two-byte lengths since 6.1; before, no compressed name was that long
      if (at >= bytes.size()) {
        return std::nullopt;
      }
      length = (length & 0x7f) | std::to_integer<std::size_t>(bytes[at++]) << 7;
    }
    if (length == 0 || length > bytes.size() - at) {
      return std::nullopt;
    }
    at += length;
  }
  return at;
}

/// The names and their count, given `marker` offsets of every 256th record: they end where the markers begin.
std::optional<Names> locate_names(VirtMemory& search, GuestVirt markers, std::span<const std::uint64_t> marker,
                                  unsigned word_size) {
  const std::uint64_t last = marker.back();
  if (last > kMaxNames || markers.value < last + kMaxBlock + 64) {
    return std::nullopt;
  }
  // names = markers - last - (the last block) - padding; the count stands before it.
  std::vector<std::byte> window(kMaxBlock + 32);
  const GuestVirt begin((markers - last - window.size()).value &
                        ~std::uint64_t{3});  // labels are aligned to 4 at least
  read_tolerant(search, begin, window);
  std::vector<std::byte> tail(kMaxBlock);
  read_tolerant(search, markers - tail.size(), tail);
  const std::uint64_t blocks = marker.size();
  unsigned tries = 0;
  for (std::size_t offset = (window.size() - 2) & ~std::size_t{3}; offset >= 8 && tries < kMaxTries; offset -= 4) {
    const GuestVirt names = begin + offset;
    for (const std::size_t before : {4U, 8U}) {
      const auto count = load_le<std::uint32_t>(window.data() + offset - before);
      if (count <= (blocks - 1) * 256 || count > blocks * 256 || count > kMaxKallsyms ||
          (before == 8 && (word_size == 4 || load_le<std::uint32_t>(window.data() + offset - 4) != 0))) {
        continue;
      }
      const std::uint64_t tail_bytes = markers - (names + last);
      if (tail_bytes > tail.size()) {
        continue;
      }
      ++tries;
      const auto rest = step_records(std::span(tail).last(at_most(tail.size(), tail_bytes)),
                                     static_cast<std::size_t>(count - (blocks - 1) * 256));
      if (!rest || tail_bytes - *rest >= 8) {
        continue;
      }
      std::vector<std::byte> first(static_cast<std::size_t>(marker[1]));
      read_tolerant(search, names, first);
      if (step_records(first, 256) == first.size()) {
        return Names{names - before, count, names, names + last + *rest};
      }
    }
  }
  return std::nullopt;
}

/// The run of ascending markers at `bytes`: as long as each step is a plausible block of 256 records.
std::vector<std::uint64_t> marker_run(std::span<const std::byte> bytes, unsigned size) {
  std::vector<std::uint64_t> run;
  for (std::size_t at = 0; at + size <= bytes.size(); at += size) {
    const std::uint64_t value =
        size == 4 ? load_le<std::uint32_t>(bytes.data() + at) : load_le<std::uint64_t>(bytes.data() + at);
    const bool fits = run.empty() ? value == 0
                                  : value > run.back() && value - run.back() >= kMinBlock &&
                                        value - run.back() <= kMaxBlock && value <= kMaxNames;
    if (!fits || run.size() > kMaxKallsyms / 256) {
      break;
    }
    run.push_back(value);
  }
  return run;
}

}  // namespace

std::uint64_t KallsymsTables::resolve(std::uint64_t index, std::uint64_t raw) const {
  const auto value = static_cast<std::int64_t>(static_cast<std::int32_t>(static_cast<std::uint32_t>(raw)));
  const std::uint64_t mask = word_size == 4 ? 0xffffffffU : ~std::uint64_t{0};
  switch (kind) {
    case Addresses::words:
      return (raw + slide) & mask;
    case Addresses::base_relative:
      return (relative_base + static_cast<std::uint32_t>(raw) + slide) & mask;
    case Addresses::absolute_percpu:
      return value >= 0 ? static_cast<std::uint64_t>(value)
                        : (relative_base - 1 - static_cast<std::uint64_t>(value) + slide) & mask;
    case Addresses::self_relative:
      break;
  }
  return (addresses.value + 4 * index + static_cast<std::uint64_t>(value) + slide) & mask;
}

std::vector<std::size_t> find_digit_tokens(std::span<const std::byte> bytes) {
  // Twenty bytes hold at least one whole aligned word of eight, which is digits and NULs in turn: eight bytes at a
  // time are enough to pass over all else.
  std::vector<std::size_t> found;
  static constexpr std::array<char, kDigitTokensSize> kDigits = {'0', 0, '1', 0, '2', 0, '3', 0, '4', 0,
                                                                 '5', 0, '6', 0, '7', 0, '8', 0, '9', 0};
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    const auto word = load_le<std::uint64_t>(bytes.data() + at);
    if ((word & 0xfff0fff0fff0fff0) != 0x0030003000300030 && (word & 0xf0fff0fff0fff0ff) != 0x3000300030003000) {
      continue;
    }
    const std::size_t from = at > kDigitTokensSize ? at - kDigitTokensSize : 0;
    for (std::size_t start = from; start <= at && start + kDigitTokensSize <= bytes.size(); ++start) {
      if (std::memcmp(bytes.data() + start, kDigits.data(), kDigits.size()) == 0 &&
          (found.empty() || found.back() != start)) {
        found.push_back(start);
      }
    }
  }
  return found;
}

std::optional<KallsymsTables> locate_kallsyms(VirtMemory& search, GuestVirt digits, unsigned word_size,
                                              bool image_virtual) {
  const auto tokens = locate_tokens(search, digits);
  if (!tokens || tokens->table.value < kMarkersWindow) {
    return std::nullopt;
  }
  // Markers stand before the token table, with kallsyms_seqs_of_names between them in some versions. Mostly they are
  // near, so what lies further away is read when it is needed.
  std::vector<std::byte> before(kMarkersWindow);
  const GuestVirt begin = tokens->table - before.size();
  std::size_t read_from = before.size();
  unsigned tries = 0;
  for (std::size_t offset = ((before.size() - 16) & ~std::size_t{7}); offset >= 8 && tries < kMaxTries; offset -= 4) {
    if (offset < read_from) {
      const std::size_t more = std::min(read_from, std::max(kFirstMarkers, before.size() - read_from));
      read_from -= more;
      read_tolerant(search, begin + read_from, std::span(before).subspan(read_from, more));
    }
    if (load_le<std::uint32_t>(before.data() + offset) != 0) {
      continue;
    }
    for (const unsigned size : {4U, 8U}) {
      // The second marker (its lower half) rules most places out at once: memory has many zeros.
      const auto second = load_le<std::uint32_t>(before.data() + offset + size);
      if (size > word_size || second < kMinBlock || second > kMaxBlock) {
        continue;
      }
      auto run = marker_run(std::span(before).subspan(offset), size);
      if (run.size() < kMinMarkers) {
        continue;
      }
      ++tries;
      // What follows the markers may by chance look like one or two more.
      for (std::size_t cut = 0; cut < 3 && run.size() >= kMinMarkers; ++cut, run.pop_back()) {
        const auto names = locate_names(search, begin + offset, run, word_size);
        if (!names) {
          continue;
        }
        KallsymsTables tables;
        tables.count = names->count;
        tables.names = names->names;
        tables.names_end = names->names_end;
        tables.markers = begin + offset;
        tables.marker_size = size;
        tables.token_table = tokens->table;
        tables.token_bytes = tokens->bytes;
        tables.token_index = tokens->index;
        tables.word_size = word_size;
        if (locate_addresses(search, names->num_syms, image_virtual, tables)) {
          return tables;
        }
      }
    }
  }
  return std::nullopt;
}

}  // namespace xstack
