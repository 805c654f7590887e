// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <span>

#include "guest/memory.h"

namespace xstack::test {

/// Memory that holds the same few bytes over and over: wherever a pointer made of them leads, there is something to
/// read. The first page is absent, so that null pointers fault.
class RepeatingMemory final : public VirtMemory {
 public:
  explicit RepeatingMemory(std::span<const std::byte> data) : data_(data) {}
  tl::expected<std::size_t, Fault> read_some(GuestVirt at, std::span<std::byte> out) override {
    if (data_.empty() || at.value < 0x1000) {
      return tl::unexpected(Fault{FaultKind::absent, at.value});
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = data_[(at.value + i) % data_.size()];
    }
    return out.size();
  }

 private:
  std::span<const std::byte> data_;
};

}  // namespace xstack::test
