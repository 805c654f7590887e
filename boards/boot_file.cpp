// SPDX-License-Identifier: LGPL-2.1-or-later
#include "boards/boot_file.h"

#include <algorithm>

#include "base/endian.h"

namespace xstack {
namespace {

constexpr std::uint32_t kZImageMagic = 0x016f2818;  // at 0x24; start and end follow it
constexpr std::uint32_t kImageMagic = 0x644d5241;   // "ARM\x64" at 0x38; image_size is at 0x10
constexpr std::uint32_t kUImageMagic = 0x56190527;  // 27 05 19 56
constexpr std::uint32_t kElfMagic = 0x464c457f;
constexpr std::uint16_t kGzipMagic = 0x8b1f;
/// No image says that it takes more than this beyond its file; a header that does is not believed.
constexpr std::uint64_t kMaxExtra = 64U << 20;

std::uint64_t with_extra(std::uint64_t file_bytes, std::uint64_t said) {
  return said > file_bytes && said - file_bytes <= kMaxExtra ? said : file_bytes;
}

}  // namespace

const char* to_string(BootFileKind kind) {
  switch (kind) {
    case BootFileKind::zimage:
      return "a zImage";
    case BootFileKind::image:
      return "an arm64 Image";
    case BootFileKind::uimage:
      return "a legacy uImage";
    case BootFileKind::gzip:
      return "gzip data";
    case BootFileKind::elf:
      return "an ELF file";
    case BootFileKind::other:
      return "no image that is known here";
  }
  return "?";
}

BootFileHead recognise_boot_file(std::span<const std::byte> head, std::uint64_t file_bytes) {
  BootFileHead out{BootFileKind::other, file_bytes, file_bytes};
  const auto word = [&](std::uint64_t at) { return load_le_at<std::uint32_t>(head, at); };
  if (word(0x24) == kZImageMagic) {
    out.kind = BootFileKind::zimage;
    const std::uint32_t start = word(0x28).value_or(0);
    const std::uint32_t end = word(0x2c).value_or(0);
    out.memory_bytes = with_extra(file_bytes, end > start ? end - start : 0);
  } else if (word(0x38) == kImageMagic) {
    out.kind = BootFileKind::image;
    out.memory_bytes = with_extra(file_bytes, load_le_at<std::uint64_t>(head, 0x10).value_or(0));
  } else if (word(0) == kUImageMagic) {
    out.kind = BootFileKind::uimage;
  } else if (word(0) == kElfMagic) {
    out.kind = BootFileKind::elf;
  } else if (load_le_at<std::uint16_t>(head, 0) == kGzipMagic) {
    out.kind = BootFileKind::gzip;
  }
  return out;
}

}  // namespace xstack
