// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <span>
#include <string>

#include "base/error.h"
#include "guest/guest.h"
#include "guest/page_cache.h"

namespace xstack {

/// Writes a capture (docs/capture-format.md): who the guest is, its vCPUs, the pages kept in `pages`, and `facts`.
/// A name that ends in .zst has it compressed. The file appears under `path` only once it is whole, replacing what was
/// there, and belongs to its owner alone (mode 0600): a guest's memory is private. Errors: io; usage when `path` is
/// something that is no plain file; too_large (more separate runs of pages than an ELF file has segments).
[[nodiscard]] Result<void> write_capture_file(const std::string& path, const GuestIdentity& identity,
                                              std::span<const VcpuContext> vcpus, const PageCache& pages,
                                              const std::map<std::string, std::string>& facts);

/// The same from pages that need not lie in a cache: ascending, none twice, kXenPageSize each.
[[nodiscard]] Result<void> write_capture_file(const std::string& path, const GuestIdentity& identity,
                                              std::span<const VcpuContext> vcpus,
                                              std::span<const PageCache::Kept> pages,
                                              const std::map<std::string, std::string>& facts);

}  // namespace xstack
