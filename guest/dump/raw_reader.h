// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/error.h"
#include "guest/dump/file_guest.h"

namespace xstack {

/// A file that holds nothing but memory, from `base` (a physical address) on.
struct RawPiece {
  std::shared_ptr<const InputFile> file;
  std::uint64_t base = 0;
};

/// Memory alone, as QEMU's pmemsave or a copy of a machine's RAM gives it, in one file or in several. There are no
/// registers; where two files have the same address, the first counts. Errors: bad_format (a file that does not fit the
/// address space).
[[nodiscard]] Result<FileGuestParts> read_raw(std::span<const RawPiece> pieces);

}  // namespace xstack
