// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "guest/memory.h"

namespace xstack {

/// Keeps every page that is read through it and serves it from there ever after. That freezes what was read while a
/// guest was paused, and it is the list of what a capture must hold. Pages that are absent are remembered as well.
///
/// Bounded: once `max_pages` are kept, further pages are read through and not kept; left_out() then says how many reads
/// went that way, so that nobody takes an incomplete set for a whole one.
class PageCache final : public PhysMemory {
 public:
  static constexpr std::size_t kDefaultPages = 8192;  ///< 32 MiB

  /// `below` must outlive this.
  explicit PageCache(PhysMemory& below, std::size_t max_pages = kDefaultPages) : below_(below), max_pages_(max_pages) {}

  /// Serves at most to the end of the page: every page is kept as a whole, or not at all.
  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestPhys at, std::span<std::byte> out) override;

  /// Hands those pages that are not kept yet down, in one call.
  void prefetch(std::span<const GuestPhys> pages) override;

  struct Kept {
    GuestPhys at;                      ///< address of the page's first byte
    std::span<const std::byte> bytes;  ///< kXenPageSize of them; valid until clear() or the cache's end
  };
  /// What is kept, ascending.
  [[nodiscard]] std::vector<Kept> pages() const;
  [[nodiscard]] std::size_t size() const { return pages_.size(); }

  /// Reads of pages that were not kept because the cache was full.
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

  /// Forgets everything.
  void clear();

 private:
  using Page = std::array<std::byte, kXenPageSize>;

  PhysMemory& below_;
  std::size_t max_pages_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;  ///< by frame number
  std::unordered_map<std::uint64_t, FaultKind> absent_;             ///< frames that could not be read, and why
  std::uint64_t left_out_ = 0;
};

}  // namespace xstack
