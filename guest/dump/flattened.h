// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/error.h"
#include "guest/dump/decompress.h"

namespace xstack {

class ScratchFile;

/// Does a file begin like makedumpfile's flattened format, in which dumps go through pipes (makedumpfile -F, QEMU's
/// dump-guest-memory -z)?
[[nodiscard]] bool is_flattened(std::span<const std::byte> start);

/// Puts the pieces of such a file where they belong (makedumpfile -R). A file that is cut short is no error: what could
/// be had is in `out`. Never writes more than `in` has. Errors: those of ScratchFile::put.
[[nodiscard]] Result<std::optional<Incomplete>> unflatten(std::span<const std::byte> in, ScratchFile& out);

}  // namespace xstack
