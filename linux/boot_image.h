// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "arch/arch.h"
#include "guest/guest.h"

namespace xstack {

/// The image that a boot loader or Xen's domain builder put into memory, as its header tells.
struct BootImage {
  enum class Kind : std::uint8_t {
    zimage,   ///< arm32: magic 0x016f2818 at 0x24, start and end behind it (arch/arm/boot/compressed/head.S)
    image,    ///< arm64: "ARM\x64" at 0x38, image_size at 0x10 (Documentation/arm64/booting.rst)
    bzimage,  ///< x86: "HdrS" at 0x202 of the real-mode part (Documentation/x86/boot.rst)
  };
  Kind kind{};
  GuestPhys header;        ///< of the page that has the header
  GuestPhys begin;         ///< of its code: the same, or on x86 that of the protected-mode part
  std::uint64_t size = 0;  ///< bytes
  std::uint64_t code = 0;  ///< bytes of code in front of a compressed kernel; 0: no compressed kernel was found in it
  std::uint64_t rest = 0;  ///< offset of the code behind it (x86: most of the decompressor); 0: not known
};

[[nodiscard]] const char* to_string(BootImage::Kind kind);

/// The first header in the first 64 MiB of each part of `ram`, page by page (x86: in the first MiB). Nothing else is
/// believed than a header whose sizes make sense.
[[nodiscard]] std::optional<BootImage> find_boot_image(PhysMemory& memory, ArchId arch,
                                                       std::span<const FrameRange> ram);

/// Is the code at `pc` the image's own, in front of its compressed kernel or behind it, there or in the copy that it
/// makes of itself? How that is known, or nothing.
[[nodiscard]] std::optional<std::string> in_decompressor(PhysMemory& memory, const BootImage& image, GuestPhys pc);

}  // namespace xstack
