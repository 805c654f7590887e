// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/flattened.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/checked.h"
#include "guest/dump/scratch_file.h"

namespace xstack {
namespace {

// struct makedumpfile_header and makedumpfile_data_header of makedumpfile.h: big-endian, the first padded to a page.
constexpr std::string_view kSignature("makedumpfile\0\0\0\0", 16);
constexpr std::size_t kHeaderSize = 4096;
constexpr std::size_t kPieceHeader = 16;
constexpr std::uint64_t kEnd = ~std::uint64_t{0};

std::uint64_t load_be(const std::byte* bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) {
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  }
  return value;
}

}  // namespace

bool is_flattened(std::span<const std::byte> start) {
  return start.size() >= kSignature.size() && std::memcmp(start.data(), kSignature.data(), kSignature.size()) == 0;
}

Result<std::optional<Incomplete>> unflatten(std::span<const std::byte> in, ScratchFile& out) {
  std::uint64_t at = kHeaderSize;
  while (const auto header = slice(in, at, kPieceHeader)) {
    const std::uint64_t offset = load_be(header->data());
    const std::uint64_t size = load_be(header->data() + 8);
    at += kPieceHeader;
    if (offset == kEnd) {
      return std::nullopt;
    }
    const auto bytes = in.subspan(static_cast<std::size_t>(at));
    const auto piece = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(size, bytes.size())));
    if (auto ok = out.put(offset, piece); !ok) {
      return tl::unexpected(ok.error());
    }
    if (piece.size() < size) {
      break;
    }
    at += size;
  }
  return Incomplete{true, "it ends before its end mark"};
}

}  // namespace xstack
