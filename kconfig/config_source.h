// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/error.h"
#include "kconfig/kernel_config.h"

namespace xstack {

/// A configuration with where it came from, for people: "the file", "the image's IKCONFIG".
struct FoundConfig {
  KernelConfig config;
  std::string where;
};

/// Reads the configuration that a file holds: a .config or defconfig, plain or compressed (/proc/config.gz), or a
/// kernel built with CONFIG_IKCONFIG: vmlinux, Image, or an image that unpacks itself (zImage, bzImage) from gzip, xz
/// or zstd. Errors: those of InputFile::open(); unsupported (a dump: that wants --core); not_found (a file without
/// one).
[[nodiscard]] Result<FoundConfig> read_config_file(const std::string& path);

}  // namespace xstack
