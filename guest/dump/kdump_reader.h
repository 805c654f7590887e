// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "base/error.h"
#include "guest/dump/file_guest.h"

namespace xstack {

/// Reads a kdump file: what makedumpfile -c, -l, -p and -z write, and QEMU's dump-guest-memory -z, -l and -s, pages
/// packed with zlib, lzo, snappy or zstd, each by itself. Pages are unpacked when they are asked for and a few are
/// kept, so that memory stays small; a page that does not unpack is absent. Frames that were left out when the file was
/// written (makedumpfile -d) are absent, zeros among them: the file does not say which they were. Files that are cut
/// short give what they hold.
///
/// Why this is a reader of its own and not libkdumpfile: docs/input-formats.md. Errors: bad_format, truncated,
/// unsupported (pages packed with something that this build has no library for).
[[nodiscard]] Result<FileGuestParts> read_kdump(std::shared_ptr<const InputFile> file);

}  // namespace xstack
