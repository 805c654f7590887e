// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <map>
#include <span>
#include <vector>

#include "guest/memory.h"

namespace xstack::test {

/// Memory that a test fills by hand: pages exist once something was put into them, all else is absent.
template <class Addr>
class FakeMemory final : public AddressSpace<Addr> {
 public:
  /// Puts one little-endian integer at `at`, making its page(s) exist, zero-filled.
  template <std::integral T>
  void put(Addr at, T value) {
    std::array<std::byte, sizeof value> bytes{};
    std::memcpy(bytes.data(), &value, sizeof value);
    put_bytes(at, bytes);
  }

  void put_bytes(Addr at, std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const std::uint64_t address = at.value + i;
      auto& page = pages_[address / kXenPageSize];
      page.resize(kXenPageSize);
      page[address % kXenPageSize] = bytes[i];
    }
  }

  /// Makes a zero-filled page exist.
  void touch(Addr at) { pages_[at.value / kXenPageSize].resize(kXenPageSize); }

  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(Addr at, std::span<std::byte> out) override {
    ++reads;
    const auto page = pages_.find(at.value / kXenPageSize);
    if (page == pages_.end()) {
      return tl::unexpected(Fault{FaultKind::absent, at.value});
    }
    const std::uint64_t offset = at.value % kXenPageSize;
    const std::size_t n = std::min<std::uint64_t>(out.size(), kXenPageSize - offset);
    std::memcpy(out.data(), page->second.data() + offset, n);
    return n;
  }

  std::size_t reads = 0;  ///< calls of read_some so far

 private:
  std::map<std::uint64_t, std::vector<std::byte>> pages_;
};

using FakePhys = FakeMemory<GuestPhys>;
using FakeVirt = FakeMemory<GuestVirt>;

}  // namespace xstack::test
