// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "guest/guest.h"

namespace xstack {

/// Opens a guest from a file: an `xl dump-core` ELF (as documented, and as broken on ARM) or xstack's own capture,
/// plain or compressed (.zst, .xz, .gz, told by content). What the file is, is told by its bytes. Errors: io,
/// bad_format, truncated, too_large, unsupported (a kind of dump that is recognised but not read, named in the
/// message).
[[nodiscard]] Result<std::unique_ptr<Guest>> open_dump(const std::string& path);

}  // namespace xstack
