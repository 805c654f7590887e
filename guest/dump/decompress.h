// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"

namespace xstack {

class ScratchFile;

enum class Compression : std::uint8_t { zstd, xz, gzip };

[[nodiscard]] const char* to_string(Compression compression);

/// What the first bytes of a file say it is compressed with; nothing when it is not, or with something not known.
[[nodiscard]] std::optional<Compression> detect_compression(std::span<const std::byte> start);

/// Where decompression stopped before the end of the input, and why: what was written until there is good.
struct Incomplete {
  bool input_ended = false;  ///< cut short, else damaged
  std::string why;
};

/// Decompresses `in`, all its frames, members or streams, to the end of `out`. Memory is bounded: windows of zstd up
/// to 128 MiB (--long=27), dictionaries of xz up to 256 MiB. An input that is cut short or damaged is no error: what
/// could be had is in `out`. Errors: those of ScratchFile::append; too_large when a window is beyond the bounds.
[[nodiscard]] Result<std::optional<Incomplete>> decompress(Compression compression, std::span<const std::byte> in,
                                                           ScratchFile& out);

}  // namespace xstack
