// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kallsyms_addresses.h"

#include <vector>

#include "base/endian.h"
#include "linux/mapped_scan.h"

namespace xstack {
namespace {

using Addresses = KallsymsTables::Addresses;

constexpr std::uint64_t kNear = 1U << 30;  // an image with its tables is far smaller than this

std::uint64_t align(std::uint64_t value, std::uint64_t to) {
  return (value + to - 1) & ~(to - 1);
}

/// How the values of one table behave, over all of them.
struct Shape {
  std::size_t ascending = 0;       ///< steps that do not go down, taken as unsigned
  std::size_t self_ascending = 0;  ///< the same after adding each slot's offset
  std::size_t negative = 0;
  std::size_t negative_steps = 0;
  std::size_t descending = 0;  ///< steps between two negative values that do not go up
  std::size_t steps = 0;
};

Shape shape_of(std::span<const std::byte> bytes) {
  Shape shape;
  const std::size_t n = bytes.size() / 4;
  std::int64_t before = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t now = load_le<std::int32_t>(bytes.data() + 4 * i);
    shape.negative += now < 0 ? 1 : 0;
    if (i > 0) {
      ++shape.steps;
      shape.ascending += (now & 0xffffffff) >= (before & 0xffffffff) ? 1 : 0;
      shape.self_ascending += now + 4 >= before ? 1 : 0;
      if (now < 0 && before < 0) {
        ++shape.negative_steps;
        shape.descending += now <= before ? 1 : 0;
      }
    }
    before = now;
  }
  return shape;
}

bool nearly_all(std::size_t part, std::size_t whole) {
  return whole > 0 && (whole - part) * 10000 <= whole;
}

bool is_near(std::uint64_t address, GuestVirt tables) {
  const std::uint64_t distance = address > tables.value ? address - tables.value : tables.value - address;
  return distance < kNear;
}

/// One place where a table of 32-bit values may stand. `base`: where its relative base would then be.
bool try_offsets(VirtMemory& search, GuestVirt at, std::optional<GuestVirt> base, bool image_virtual,
                 KallsymsTables& tables) {
  std::vector<std::byte> bytes(std::size_t{4} * tables.count);
  if (read_tolerant(search, at, bytes) < bytes.size() / 2) {
    return false;
  }
  const Shape shape = shape_of(bytes);
  const auto first = load_le<std::uint32_t>(bytes.data());
  const auto last = load_le<std::uint32_t>(bytes.data() + bytes.size() - 4);
  std::optional<std::uint64_t> relative_base;
  if (base) {
    if (const auto word = search.read_word(*base, tables.word_size)) {
      relative_base = *word;
    }
  }
  tables.addresses = at;
  const bool base_fits = relative_base && (!image_virtual || is_near(*relative_base, at));
  if (nearly_all(shape.ascending, shape.steps)) {
    // Until it relocates itself, an arm64 kernel has no base: its addresses count from its first symbol.
    if (base_fits && (*relative_base != 0 || !image_virtual) && first < kNear && last > first && last < kNear) {
      tables.kind = Addresses::base_relative;
      tables.relative_base = *relative_base;
      return true;
    }
    if (tables.word_size == 4 && last > first && last - first < kNear && (!image_virtual || is_near(first, at))) {
      tables.kind = Addresses::words;
      return true;
    }
    return false;
  }
  if (base_fits && shape.negative > tables.count / 2 && nearly_all(shape.descending, shape.negative_steps)) {
    tables.kind = Addresses::absolute_percpu;
    tables.relative_base = *relative_base;
    return true;
  }
  if (tables.word_size == 8 && nearly_all(shape.self_ascending, shape.steps)) {
    tables.kind = Addresses::self_relative;
    return is_near(tables.resolve(0, first), at);
  }
  return false;
}

/// kallsyms_addresses: guest words before the count.
bool try_words(VirtMemory& search, GuestVirt at, bool image_virtual, KallsymsTables& tables) {
  std::vector<std::byte> bytes(std::size_t{tables.word_size} * tables.count);
  if (read_tolerant(search, at, bytes) < bytes.size() / 2) {
    return false;
  }
  const auto value = [&](std::size_t i) {
    return tables.word_size == 4 ? load_le<std::uint32_t>(bytes.data() + 4 * i)
                                 : load_le<std::uint64_t>(bytes.data() + 8 * i);
  };
  std::size_t ascending = 0;
  for (std::size_t i = 1; i < tables.count; ++i) {
    ascending += value(i) >= value(i - 1) ? 1 : 0;
  }
  const std::uint64_t middle = value(tables.count / 2);
  if (!nearly_all(ascending, tables.count - 1) || middle == 0 || (image_virtual && !is_near(middle, at))) {
    return false;
  }
  tables.addresses = at;
  tables.kind = Addresses::words;
  return true;
}

}  // namespace

bool locate_addresses(VirtMemory& search, GuestVirt num_syms, bool image_virtual, KallsymsTables& tables) {
  const std::uint64_t bytes = std::uint64_t{4} * tables.count;
  const std::uint64_t word = tables.word_size;
  const std::uint64_t sequences = std::uint64_t{3} * tables.count;
  const std::uint64_t markers_end = tables.markers.value + std::uint64_t{tables.marker_size} * tables.marker_count();
  tables.has_seqs = tables.token_table.value - markers_end >= sequences;
  // Before the count: the offsets and their base, each label aligned to a word, or plain words. Self-relative values
  // never stood there, and words end at the count and not a base before it: other data would pass for the one, and a
  // table read one symbol off for the other.
  if (num_syms.value > bytes + 2 * word) {
    const GuestVirt base = num_syms - word;
    const bool found = try_offsets(search, base - align(bytes, word), base, image_virtual, tables);
    if ((found && (tables.kind == Addresses::base_relative || tables.kind == Addresses::absolute_percpu)) ||
        try_words(search, num_syms - word * tables.count, image_virtual, tables)) {
      return true;
    }
  }
  // After the token index. Labels are aligned to a word until 7.0, which made the values self-relative and the
  // alignment 4: a table of one kind read at the other's place still looks ascending, one symbol off, so each place
  // takes its kind.
  const std::uint64_t after = tables.token_index.value + 512;
  for (const std::uint64_t alignment : {std::uint64_t{4}, word}) {
    const GuestVirt at(align(after, alignment));
    const bool found = try_offsets(search, at, GuestVirt(align(at.value + bytes, word)), image_virtual, tables);
    if (found && (alignment == word || tables.kind == Addresses::self_relative)) {
      tables.has_seqs = true;
      return true;
    }
  }
  return false;
}

}  // namespace xstack
