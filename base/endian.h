// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "base/checked.h"

namespace xstack {

static_assert(std::endian::native == std::endian::little,
              "guest data is little-endian; a big-endian host needs swaps here");

/// The little-endian integer at the start of `bytes`, which must hold at least sizeof(T) bytes.
template <std::integral T>
[[nodiscard]] T load_le(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

/// The little-endian integer at `offset`, or nothing when it is not all inside `bytes`.
template <std::integral T>
[[nodiscard]] std::optional<T> load_le_at(std::span<const std::byte> bytes, std::uint64_t offset) {
  const auto part = slice(bytes, offset, sizeof(T));
  if (!part) {
    return std::nullopt;
  }
  return load_le<T>(part->data());
}

/// `value`'s low `bits` bits, sign-extended. `bits` is 1..64.
[[nodiscard]] constexpr std::int64_t sign_extend(std::uint64_t value, unsigned bits) {
  const unsigned shift = 64 - bits;
  return static_cast<std::int64_t>(value << shift) >> shift;
}

}  // namespace xstack
