// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/address_table_scan.h"

#include <array>
#include <vector>

#include "base/endian.h"

namespace xstack {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::uint64_t kMaxStep = 1U << 20;  // between neighbours, unless a section ends there
constexpr std::size_t kMaxOdd = 8;            // steps of a page that may be larger or go back
constexpr std::uint64_t kMinSpan = 4096;      // a page of symbols covers more than a page of code

/// Counts steps from one element to the next, taken in one way.
class Steps {
 public:
  void add(std::uint64_t step) {
    if (step > kMaxStep) {
      ++odd_;
    } else {
      span_ += step;
      moving_ += step != 0 ? 1 : 0;
      ++even_;
    }
  }
  [[nodiscard]] bool like_addresses() const { return odd_ <= kMaxOdd && span_ >= kMinSpan && moving_ * 2 > even_; }

 private:
  std::size_t odd_ = 0;
  std::size_t even_ = 0;
  std::size_t moving_ = 0;
  std::uint64_t span_ = 0;
};

}  // namespace

bool looks_like_addresses(std::span<const std::byte> page, unsigned word_size) {
  Steps up;             // offsets from a base, and 32-bit words
  Steps down;           // negative offsets, which grow downward
  Steps self_relative;  // distances from the element's own place
  std::uint64_t before = page.size() >= 4 ? load_le<std::uint32_t>(page.data()) : 0;
  for (std::size_t at = 4; at + 4 <= page.size(); at += 4) {
    const std::uint64_t now = load_le<std::uint32_t>(page.data() + at);
    up.add(now - before);
    down.add(before - now);
    self_relative.add(static_cast<std::uint32_t>(now + 4 - before));
    before = now;
  }
  if (up.like_addresses() || down.like_addresses() || (word_size == 8 && self_relative.like_addresses())) {
    return true;
  }
  if (word_size == 4) {
    return false;
  }
  Steps words;
  for (std::size_t at = 8; at + 8 <= page.size(); at += 8) {
    words.add(load_le<std::uint64_t>(page.data() + at) - load_le<std::uint64_t>(page.data() + at - 8));
  }
  return words.like_addresses();
}

std::optional<AddressTableHint> find_address_table(PageProbe& probe, VirtMemory& search, const ScanBounds& bounds,
                                                   unsigned word_size) {
  std::optional<AddressTableHint> hint;
  std::vector<GuestVirt> batch;
  /// True when a run has come to its end.
  const auto look_at_batch = [&] {
    search.prefetch(batch);
    std::array<std::byte, kXenPageSize> page{};
    for (const GuestVirt at : batch) {
      if (search.read(at, page) && looks_like_addresses(page, word_size)) {
        hint = hint ? AddressTableHint{hint->first, at} : AddressTableHint{at, at};
      } else if (hint) {
        return true;
      }
    }
    batch.clear();
    return false;
  };
  std::uint64_t at = (bounds.begin.value + kSampleStride - 1) & ~(kSampleStride - 1);
  std::uint64_t hole = 0;
  std::uint64_t stepped = 0;
  while (at < bounds.end.value && stepped < bounds.mapped_bytes && hole < bounds.hole_bytes) {
    if (probe.at(GuestVirt(at))) {
      hole = 0;
      stepped += kSampleStride;
      batch.emplace_back(at);
      if (batch.size() == kBatch && look_at_batch()) {
        return hint;
      }
    } else {
      hole += kSampleStride;
    }
    if (at + kSampleStride < at) {
      break;
    }
    at += kSampleStride;
  }
  look_at_batch();
  return hint;
}

}  // namespace xstack
