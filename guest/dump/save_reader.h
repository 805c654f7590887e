// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "base/error.h"
#include "guest/dump/file_guest.h"

namespace xstack {

/// Does a file begin like a guest saved by `xl save`, or like the libxc migration stream in it?
[[nodiscard]] bool is_save_image(std::span<const std::byte> start);

/// Reads a saved x86 guest: xl's header, libxl's stream (docs/specs/libxl-migration-stream.pandoc of Xen) and in it
/// libxc's, version 2 or 3 (docs/specs/libxc-migration-stream.pandoc), or the latter alone. Of a PV guest the registers
/// are Xen's contexts; page tables in the image, and the roots in these, hold the guest's own frame numbers and not
/// Xen's, so that memory is addressed by those. Of an HVM or PVH guest the registers are its HVM records. A page that
/// is there more than once counts as it was sent last. Files that are cut short give what they hold. Errors:
/// bad_format, truncated, unsupported (a legacy stream, a 32-bit toolstack's byte order, a guest of another
/// architecture).
[[nodiscard]] Result<FileGuestParts> read_save_image(std::shared_ptr<const InputFile> file);

}  // namespace xstack
