// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/error.h"
#include "guest/dump/output_file.h"
#include "guest/guest.h"

namespace xstack {

/// How far memory has been written: bytes done of all, to show while it takes long. Says whether to go on.
using Progress = std::function<bool(std::uint64_t done, std::uint64_t all)>;

/// The frames of `ram` that can be read, ascending and disjoint. Asks for every page once, in batches; nothing is
/// copied.
[[nodiscard]] std::vector<FrameRange> present_frames(PhysMemory& memory, std::span<const FrameRange> ram);

struct WrittenMemory {
  std::uint64_t zero_pages = 0;
  std::uint64_t lost_pages = 0;  ///< were there, and could not be read when it was their turn: zeros in the file
};

/// Fills `out` with memory from `at` on; pages that cannot be read are zeros, and counted.
[[nodiscard]] std::uint64_t read_or_zero(PhysMemory& memory, GuestPhys at, std::span<std::byte> out);

/// Nothing but zeros? `bytes` is not empty.
[[nodiscard]] bool is_zero(std::span<const std::byte> bytes);

/// Appends the contents of `frames` to `out`, one after the other, a megabyte at a time; pages of zeros become holes.
/// Errors: io; interrupted when `progress` says to stop.
[[nodiscard]] Result<WrittenMemory> write_memory(PhysMemory& memory, std::span<const FrameRange> frames,
                                                 OutputFile& out, const Progress& progress);

}  // namespace xstack
