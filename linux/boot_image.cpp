// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/boot_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "base/endian.h"

namespace xstack {
namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t kSearched = 64U << 20;  // of each part of memory
constexpr std::uint64_t kLowMemory = 1U << 20;  // where the real-mode part of a bzImage is
constexpr std::uint64_t kMaxImage = 256U << 20;
constexpr std::uint64_t kMinImage = 64U << 10;     // a compressed kernel is larger
constexpr std::size_t kCodeSearched = 512U << 10;  // for the compressed kernel, and in each part for a copy's original
constexpr std::size_t kBatch = 256;                // pages asked for at once
constexpr std::size_t kHeader = 0x270;
constexpr std::size_t kCompared = 32;  // bytes round pc

/// How a compressed kernel begins (scripts/Makefile.lib: gzip, xz, LZMA, LZO, LZ4's legacy form, zstd, bzip2).
constexpr std::array<std::string_view, 7> kPayloads = {"\x1f\x8b\x08"sv,
                                                       "\xfd\x37\x7a\x58\x5a\x00"sv,
                                                       "\x89\x4c\x5a\x4f\x00\x0d\x0a"sv,
                                                       "\x02\x21\x4c\x18"sv,
                                                       "\x28\xb5\x2f\xfd"sv,
                                                       "\x42\x5a\x68\x39\x31\x41\x59"sv,
                                                       "\x5d\x00\x00\x00\x04\xff\xff\xff\xff\xff\xff\xff\xff"sv};

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// As many bytes as can be read without a gap.
std::vector<std::byte> read_front(PhysMemory& memory, GuestPhys at, std::size_t most) {
  std::vector<std::byte> bytes(most);
  std::size_t have = 0;
  while (have < most) {
    const auto n = memory.read_some(at + have, std::span(bytes).subspan(have));
    if (!n || *n == 0) {
      break;
    }
    have += *n;
  }
  bytes.resize(have);
  return bytes;
}

/// Where the compressed kernel begins in an image, from the image's beginning; 0 when there is none. Reads no more than
/// it must: a capture holds what was read.
std::uint64_t find_payload(PhysMemory& memory, GuestPhys image, std::uint64_t size) {
  constexpr std::size_t kLongest = 16;
  std::vector<std::byte> bytes;
  while (bytes.size() < std::min<std::uint64_t>(size, kCodeSearched)) {
    const auto more = read_front(memory, image + bytes.size(), kXenPageSize);
    bytes.insert(bytes.end(), more.begin(), more.end());
    const std::size_t seen = bytes.size() - more.size();
    const std::size_t from = std::max(kHeader, seen - std::min(seen, kLongest));
    std::size_t first = std::string_view::npos;
    for (const std::string_view magic : kPayloads) {
      first = std::min(first, text_of(bytes).find(magic, from));
    }
    if (first != std::string_view::npos) {
      return first;
    }
    if (more.size() < kXenPageSize) {
      break;
    }
  }
  return 0;
}

std::optional<BootImage> read_header(std::span<const std::byte> page, GuestPhys at, ArchId arch) {
  const auto u32 = [&](std::size_t offset) { return load_le<std::uint32_t>(page.data() + offset); };
  const auto u64 = [&](std::size_t offset) { return load_le<std::uint64_t>(page.data() + offset); };
  BootImage image;
  if (arch == ArchId::arm32 && u32(0x24) == 0x016f2818 && u32(0x2c) > u32(0x28)) {
    image = {BootImage::Kind::zimage, at, at, u32(0x2c) - u32(0x28), 0, 0};
  } else if (arch == ArchId::arm64 && u32(0x38) == 0x644d5241) {
    image = {BootImage::Kind::image, at, at, u64(0x10), 0, 0};
  } else if ((arch == ArchId::x86_64 || arch == ArchId::x86_32) && u32(0x202) == 0x53726448 &&
             load_le<std::uint16_t>(page.data() + 0x1fe) == 0xaa55) {
    // compressed/vmlinux.lds.S: .head.text, the compressed kernel, .text and what belongs to it.
    image = {BootImage::Kind::bzimage, at, GuestPhys(u32(0x214)), std::uint64_t{u32(0x1f4)} * 16, u32(0x248), 0};
    const std::uint64_t behind = image.code + u32(0x24c);
    image.rest = image.code != 0 && behind < image.size ? behind : 0;
  } else {
    return std::nullopt;
  }
  return image.size >= kXenPageSize && image.size <= kMaxImage && image.code < image.size ? std::optional(image)
                                                                                          : std::nullopt;
}

}  // namespace

const char* to_string(BootImage::Kind kind) {
  switch (kind) {
    case BootImage::Kind::zimage:
      return "zImage";
    case BootImage::Kind::image:
      return "Image";
    case BootImage::Kind::bzimage:
      return "bzImage";
  }
  return "?";
}

std::optional<BootImage> find_boot_image(PhysMemory& memory, ArchId arch, std::span<const FrameRange> ram) {
  const bool x86 = arch == ArchId::x86_64 || arch == ArchId::x86_32;
  const std::uint64_t most = (x86 ? kLowMemory : kSearched) / kXenPageSize;
  std::array<std::byte, kHeader> header{};
  for (const FrameRange& range : ram.first(std::min<std::size_t>(ram.size(), 64))) {
    const std::uint64_t count = std::min(range.count, most);
    for (std::uint64_t i = 0; i < count; ++i) {
      const GuestPhys at = range.first + i * kXenPageSize;
      if (i % kBatch == 0) {
        std::vector<GuestPhys> batch;
        for (std::uint64_t next = i; next < std::min<std::uint64_t>(count, i + kBatch); ++next) {
          batch.push_back(range.first + next * kXenPageSize);
        }
        memory.prefetch(batch);
      }
      if (!memory.read(at, header)) {
        continue;
      }
      if (auto image = read_header(header, at, arch)) {
        if (image->kind == BootImage::Kind::zimage && image->size >= kMinImage) {
          image->code = find_payload(memory, at, image->size);
        }
        return image;
      }
    }
    if (x86) {
      break;
    }
  }
  return std::nullopt;
}

namespace {

/// A part of an image that is code: before its compressed kernel, or behind it.
struct CodePart {
  std::uint64_t offset;  ///< in the image
  const char* where;
  std::vector<std::byte> bytes;
};

std::vector<CodePart> code_parts(PhysMemory& memory, const BootImage& image) {
  std::vector<CodePart> parts;
  parts.push_back({0, "before its compressed kernel",
                   read_front(memory, image.begin, std::min<std::uint64_t>(image.code, kCodeSearched))});
  if (image.rest != 0) {
    parts.push_back({image.rest, "behind its compressed kernel",
                     read_front(memory, image.begin + image.rest,
                                std::min<std::uint64_t>(image.size - image.rest, kCodeSearched))});
  }
  return parts;
}

}  // namespace

std::optional<std::string> in_decompressor(PhysMemory& memory, const BootImage& image, GuestPhys pc) {
  if (image.code == 0) {
    return std::nullopt;
  }
  const auto parts = code_parts(memory, image);
  for (const CodePart& part : parts) {
    const GuestPhys begin = image.begin + part.offset;
    if (pc >= begin && pc - begin < part.bytes.size()) {
      return fmt::format("pc is {:#x} bytes into the {} at physical {:#x}, {}", pc - image.begin, to_string(image.kind),
                         image.begin.value, part.where);
    }
  }
  // Before it unpacks a kernel over itself, the decompressor moves out of the way.
  std::array<std::byte, kCompared> here{};
  const GuestPhys from(pc.value - pc.value % 4);
  if (!memory.read(from, here) || std::ranges::all_of(here, [&](std::byte b) { return b == here[0]; })) {
    return std::nullopt;
  }
  for (const CodePart& part : parts) {
    const std::size_t original = text_of(part.bytes).find(text_of(here));
    if (original != std::string_view::npos) {
      return fmt::format("the code at pc is a copy of what is {:#x} bytes into the {} at physical {:#x}, {}",
                         part.offset + original + pc.value % 4, to_string(image.kind), image.begin.value, part.where);
    }
  }
  return std::nullopt;
}

}  // namespace xstack
