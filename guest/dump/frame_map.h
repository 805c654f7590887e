// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "guest/guest.h"

namespace xstack {

/// Which frame of the guest's memory is which page of a file. Built once, from tables in any order that may repeat
/// themselves or lie; asked often. Runs of consecutive frames are one entry, so a usual dump needs a few thousand.
class FrameMap {
 public:
  /// Pages of the file from `page` on hold `count` frames from `first` on. Frames beyond the 2^52 that addresses can
  /// name are refused: false.
  bool add(std::uint64_t first, std::uint64_t page, std::uint64_t count = 1);

  /// Ends building. Of a frame that was given twice one page is kept. Returns how many frames were given again with
  /// another page.
  std::uint64_t finish();

  struct Found {
    std::uint64_t page;   ///< page of the file that holds the frame
    std::uint64_t count;  ///< how many frames from this one on lie in consecutive pages, at least 1
  };
  [[nodiscard]] std::optional<Found> find(std::uint64_t frame) const;

  /// All frames, ascending and disjoint; neighbours are joined.
  [[nodiscard]] std::vector<FrameRange> ranges() const;
  [[nodiscard]] std::uint64_t frames() const;

 private:
  struct Run {
    std::uint64_t first;
    std::uint64_t page;
    std::uint64_t count;
  };
  std::vector<Run> runs_;
};

}  // namespace xstack
