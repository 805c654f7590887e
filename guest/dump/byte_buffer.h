// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <vector>

namespace xstack::dump {

/// Bytes of a file that is being put together.
using Buffer = std::vector<std::byte>;

inline void append(Buffer& out, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  out.insert(out.end(), bytes, bytes + size);
}

/// Zeros up to a multiple of `alignment`.
inline void pad(Buffer& out, std::size_t alignment) {
  out.resize((out.size() + alignment - 1) / alignment * alignment);
}

}  // namespace xstack::dump
