// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace xstack {

/// How one page of a kdump file is packed: DUMP_DH_COMPRESSED_* of makedumpfile's diskdump_mod.h, QEMU's dump/dump.h.
enum class PageCodec : std::uint32_t { none = 0, zlib = 1, lzo = 2, snappy = 4, zstd = 0x20 };

/// The codec that these flags name; nothing when they name none that is known, or two.
[[nodiscard]] std::optional<PageCodec> page_codec(std::uint32_t flags);

[[nodiscard]] const char* to_string(PageCodec codec);

/// Whether this build has the library for it. zlib and zstd are always there.
[[nodiscard]] bool has_codec(PageCodec codec);

/// Unpacks one page, which must come out as long as `out` is. False when it does not. Bounded by the sizes of the two.
[[nodiscard]] bool unpack_page(PageCodec codec, std::span<const std::byte> in, std::span<std::byte> out);

}  // namespace xstack
