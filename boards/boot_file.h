// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace xstack {

enum class BootFileKind : std::uint8_t {
  zimage,  ///< Linux's and Xen's on 32-bit ARM: arch/arm/boot/compressed/head.S, xen/arch/arm/arm32/head.S
  image,   ///< Linux's and Xen's on arm64: Documentation/arm64/booting.rst
  uimage,  ///< U-Boot's legacy image: include/image.h of U-Boot
  gzip,
  elf,
  other,
};

[[nodiscard]] const char* to_string(BootFileKind kind);

/// What the first bytes of a file say of it.
struct BootFileHead {
  /// So much of a file is looked at.
  static constexpr std::size_t kHead = 64;

  BootFileKind kind = BootFileKind::other;
  std::uint64_t file_bytes = 0;
  /// What it takes where it is loaded: not less than the file; with Xen's data that is no part of the file.
  std::uint64_t memory_bytes = 0;
};

/// `head` is the first kHead bytes, or all of a shorter file.
[[nodiscard]] BootFileHead recognise_boot_file(std::span<const std::byte> head, std::uint64_t file_bytes);

}  // namespace xstack
