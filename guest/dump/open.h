// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "guest/guest.h"

namespace xstack {

/// Opens a guest from a file: an `xl dump-core` ELF (as documented, and as broken on ARM), xstack's own capture or
/// dump, an ELF vmcore (kdump, QEMU), a kdump file (makedumpfile, QEMU), or a guest saved by `xl save`, plain or
/// compressed
/// (.zst, .xz, .gz) or flattened (makedumpfile -F), told by content. What the file is, is told by its bytes. Errors:
/// io, bad_format, truncated, too_large, unsupported (a kind of dump that is recognised but not read, named in the
/// message).
[[nodiscard]] Result<std::unique_ptr<Guest>> open_dump(const std::string& path);

/// A file of nothing but guest memory, and the physical address of its first byte.
struct RawFile {
  std::string path;
  std::uint64_t base = 0;
};

/// Opens a guest from memory alone, in one file or several, plain or compressed. Errors: io, bad_format, too_large.
[[nodiscard]] Result<std::unique_ptr<Guest>> open_raw(std::span<const RawFile> files);

}  // namespace xstack
