// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace xstack::test {

/// Bytes of a file in the making: numbers little-endian, at the end or, with at(), at a place that grows the file.
class ByteWriter {
 public:
  template <class T>
  ByteWriter& put(T value) {
    return raw(&value, sizeof value);
  }
  ByteWriter& text(std::string_view text) { return raw(text.data(), text.size()); }
  ByteWriter& bytes(std::span<const std::byte> part) { return raw(part.data(), part.size()); }
  ByteWriter& fill(std::size_t count, unsigned value = 0) {
    bytes_.insert(bytes_.end(), count, std::byte(value));
    return *this;
  }
  ByteWriter& pad(std::size_t alignment) { return fill((alignment - bytes_.size() % alignment) % alignment); }
  template <class T>
  ByteWriter& at(std::size_t offset, T value) {
    bytes_.resize(std::max(bytes_.size(), offset + sizeof value));
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
    return *this;
  }
  /// An ELF note.
  ByteWriter& note(std::string_view name, std::uint32_t type, std::span<const std::byte> data) {
    put(static_cast<std::uint32_t>(name.size() + 1)).put(static_cast<std::uint32_t>(data.size())).put(type);
    text(name).fill(1).pad(4);
    return bytes(data).pad(4);
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] const std::vector<std::byte>& all() const { return bytes_; }

 private:
  ByteWriter& raw(const void* data, std::size_t size) {
    const auto* begin = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), begin, begin + size);
    return *this;
  }
  std::vector<std::byte> bytes_;
};

}  // namespace xstack::test
