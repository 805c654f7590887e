// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace xstack {

/// a + b, or nothing when it does not fit. For every length, count and offset that a guest or a file decides.
template <class T>
[[nodiscard]] constexpr std::optional<T> checked_add(T a, T b) {
  T out{};
  if (__builtin_add_overflow(a, b, &out)) {
    return std::nullopt;
  }
  return out;
}

/// a * b, or nothing when it does not fit.
template <class T>
[[nodiscard]] constexpr std::optional<T> checked_mul(T a, T b) {
  T out{};
  if (__builtin_mul_overflow(a, b, &out)) {
    return std::nullopt;
  }
  return out;
}

/// The smaller of a size and a count that a guest or a file decides: always a size, on 32-bit hosts too.
[[nodiscard]] constexpr std::size_t at_most(std::size_t limit, std::uint64_t count) {
  return count < limit ? static_cast<std::size_t>(count) : limit;
}

/// The `length` elements of `all` at `offset`, or nothing when they are not all there.
template <class T>
[[nodiscard]] constexpr std::optional<std::span<T>> slice(std::span<T> all, std::uint64_t offset,
                                                          std::uint64_t length) {
  if (offset > all.size() || length > all.size() - offset) {
    return std::nullopt;
  }
  return all.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
}

}  // namespace xstack
