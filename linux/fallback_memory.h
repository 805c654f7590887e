// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "arch/translated_memory.h"

namespace xstack {

/// One view of the kernel's memory, and, where that has nothing, what translations found since then show. Reads of the
/// first view are its own affair (it may keep them); those of the second keep nothing.
class FallbackMemory final : public VirtMemory {
 public:
  FallbackMemory(VirtMemory& first, PhysMemory& memory) : first_(first), memory_(memory) {}

  void add(std::shared_ptr<const Translation> translation) {
    if (!second_) {
      second_ = std::make_unique<TranslatedMemory>(memory_, std::vector<std::shared_ptr<const Translation>>{});
    }
    second_->add(std::move(translation));
  }

  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestVirt at, std::span<std::byte> out) override {
    auto n = first_.read_some(at, out);
    if (n || !second_) {
      return n;
    }
    const auto other = second_->read_some(at, out);
    return other ? other : n;
  }

  void prefetch(std::span<const GuestVirt> pages) override {
    first_.prefetch(pages);
    if (second_) {
      second_->prefetch(pages);
    }
  }

 private:
  VirtMemory& first_;
  PhysMemory& memory_;
  std::unique_ptr<TranslatedMemory> second_;
};

}  // namespace xstack
