// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "guest/memory.h"

namespace xstack {

/// A stretch of guest-physical memory.
struct PhysSpan {
  GuestPhys at;
  std::uint64_t bytes = 0;
};

/// Memory some of which reads as zeros: what is not to be in a dump though its page is.
class BlankedMemory final : public PhysMemory {
 public:
  /// `blanks` in any order; they may overlap.
  BlankedMemory(PhysMemory& below, std::vector<PhysSpan> blanks);

  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestPhys at, std::span<std::byte> out) override;
  void prefetch(std::span<const GuestPhys> pages) override { below_.prefetch(pages); }

 private:
  PhysMemory& below_;
  std::vector<PhysSpan> blanks_;  ///< ascending and disjoint
};

}  // namespace xstack
