// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kconfig/ikconfig.h"

#include <zlib.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "kconfig/kernel_config.h"

namespace xstack {
namespace {

// Put together when the program runs: a whole marker in this program's own image would be found when xstack itself
// lies in the memory that is searched.
std::string start_marker() {
  return std::string("IKCFG") + "_ST";
}

constexpr std::size_t kBlock = 65536;

}  // namespace

std::optional<std::string> gunzip_bounded(std::span<const std::byte> bytes, std::size_t limit) {
  z_stream stream{};
  // 16: a gzip header is expected; 15: the largest window there is.
  if (inflateInit2(&stream, 16 + 15) != Z_OK) {
    return std::nullopt;
  }
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> owner(&stream, &inflateEnd);
  stream.next_in = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
  stream.avail_in = static_cast<unsigned>(std::min<std::size_t>(bytes.size(), 1U << 30));
  std::string out;
  std::vector<unsigned char> block(kBlock);
  for (;;) {
    stream.next_out = block.data();
    stream.avail_out = static_cast<unsigned>(block.size());
    const int ret = inflate(&stream, Z_NO_FLUSH);
    const std::size_t made = block.size() - stream.avail_out;
    if (out.size() + made > limit) {
      return std::nullopt;
    }
    out.append(reinterpret_cast<const char*>(block.data()), made);
    if (ret == Z_STREAM_END) {
      return out;
    }
    if (ret != Z_OK || (made == 0 && stream.avail_in == 0)) {
      return std::nullopt;
    }
  }
}

std::optional<std::string> IkconfigFinder::find(std::span<const std::byte> bytes) {
  const std::string marker = start_marker();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (auto at = text.find(marker); at != std::string_view::npos; at = text.find(marker, at + 1)) {
    std::size_t begin = at + marker.size();
    while (begin < text.size() && begin < at + 16 && text[begin] == '\0') {
      ++begin;
    }
    if (!text.substr(begin).starts_with("\x1f\x8b\x08")) {
      continue;
    }
    if (++tries_ > kMaxTries) {
      return std::nullopt;
    }
    const auto compressed = bytes.subspan(begin, std::min(kMaxCompressed, bytes.size() - begin));
    auto config = gunzip_bounded(compressed, KernelConfig::kMaxText);
    if (config && KernelConfig::parse(*config)) {
      return config;
    }
  }
  return std::nullopt;
}

}  // namespace xstack
