// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "guest/memory.h"

namespace xstack::test {

/// The same bytes over and over, in one piece of `size` bytes of memory. A read of any size is served: what counts is
/// their number.
template <class Addr>
class RepeatedMemory final : public AddressSpace<Addr> {
 public:
  RepeatedMemory(std::span<const std::byte> data, std::uint64_t begin, std::uint64_t size)
      : data_(data), begin_(begin), size_(size) {}
  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(Addr at, std::span<std::byte> out) override {
    if (data_.empty() || at.value < begin_ || at.value - begin_ >= size_) {
      return tl::unexpected(Fault{FaultKind::absent, at.value});
    }
    const std::size_t n = std::min<std::uint64_t>(out.size(), size_ - (at.value - begin_));
    for (std::size_t i = 0; i < n; ++i) {
      out[i] = data_[(at.value - begin_ + i) % data_.size()];
    }
    return n;
  }

 private:
  std::span<const std::byte> data_;
  std::uint64_t begin_;
  std::uint64_t size_;
};

}  // namespace xstack::test
