// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/build_id_note.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/endian.h"

namespace xstack {

std::optional<std::string> read_build_id_note(VirtMemory& memory, GuestVirt begin, GuestVirt end) {
  constexpr std::uint64_t kMostBytes = 4096;
  constexpr std::uint32_t kMostName = 256;
  constexpr std::uint32_t kBuildId = 3;
  constexpr std::size_t kHeader = 12;  // namesz, descsz, type
  if (end <= begin) {
    return std::nullopt;
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(std::min<std::uint64_t>(end - begin, kMostBytes)));
  if (!memory.read(begin, bytes)) {
    return std::nullopt;
  }
  for (std::size_t at = 0; at + kHeader <= bytes.size();) {
    const auto name = load_le<std::uint32_t>(bytes.data() + at);
    const auto size = load_le<std::uint32_t>(bytes.data() + at + 4);
    const auto type = load_le<std::uint32_t>(bytes.data() + at + 8);
    if (name > kMostName || size > kMostBytes) {
      return std::nullopt;
    }
    const std::size_t content = at + kHeader + (name + 3) / 4 * 4;
    if (content + size > bytes.size()) {
      return std::nullopt;
    }
    if (type == kBuildId && name == 4 && std::memcmp(bytes.data() + at + kHeader, "GNU", 4) == 0 && size >= 8 &&
        size <= 32) {
      std::string hex;
      for (std::size_t i = 0; i < size; ++i) {
        hex += fmt::format("{:02x}", static_cast<unsigned>(bytes[content + i]));
      }
      return hex;
    }
    at = content + (size + 3) / 4 * 4;
  }
  return std::nullopt;
}

}  // namespace xstack
