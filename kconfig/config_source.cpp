// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kconfig/config_source.h"

#include <elf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/endian.h"
#include "guest/dump/decompress.h"
#include "guest/dump/input_file.h"
#include "guest/dump/scratch_file.h"
#include "kconfig/ikconfig.h"

namespace xstack {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint64_t kMaxKernel = 256ULL << 20;  // unpacked; those of distributions have 20 to 60 MiB
constexpr unsigned kMaxPayloads = 8;
constexpr std::size_t kBlock = 4U << 20;

std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<FoundConfig> parsed(std::string_view text, std::string where) {
  auto config = KernelConfig::parse(text);
  if (!config) {
    return tl::unexpected(config.error());
  }
  return FoundConfig{std::move(*config), std::move(where)};
}

/// Searches what was unpacked, in blocks that overlap by as much as a configuration can take.
std::optional<std::string> search(const ScratchFile& file) {
  IkconfigFinder finder;
  std::vector<std::byte> block(kBlock + IkconfigFinder::kMaxCompressed);
  for (std::uint64_t at = 0; at < file.size(); at += kBlock) {
    std::size_t have = 0;
    while (have < block.size()) {
      const ssize_t n = ::pread(file.fd(), block.data() + have, block.size() - have, static_cast<off_t>(at + have));
      if (n < 0 && errno == EINTR) {
        continue;
      }
      if (n <= 0) {
        break;
      }
      have += static_cast<std::size_t>(n);
    }
    if (auto text = finder.find(std::span<const std::byte>(block).first(have))) {
      return text;
    }
  }
  return std::nullopt;
}

/// What an image that unpacks itself carries: whatever looks like the start of gzip, xz or zstd data is tried.
Result<std::optional<std::string>> search_payloads(Bytes image) {
  static constexpr std::array<std::string_view, 3> kMagics = {"\x1f\x8b\x08", std::string_view("\xfd\x37zXZ\0", 6),
                                                              "\x28\xb5\x2f\xfd"};
  const std::string_view text = as_text(image);
  std::vector<std::size_t> places;
  for (const std::string_view magic : kMagics) {
    for (auto at = text.find(magic); at != std::string_view::npos && places.size() < 4096;
         at = text.find(magic, at + 1)) {
      places.push_back(at);
    }
  }
  std::ranges::sort(places);
  unsigned tried = 0;
  for (const std::size_t at : places) {
    const Bytes payload = image.subspan(at);
    const auto kind = detect_compression(payload);
    if (!kind) {
      continue;
    }
    auto scratch = ScratchFile::create(kMaxKernel);
    if (!scratch) {
      return tl::unexpected(scratch.error());
    }
    // What follows the payload makes it look damaged; what came before that is good.
    (void)decompress(*kind, payload, *scratch);
    if (scratch->size() < 4096) {
      continue;
    }
    if (auto found = search(*scratch)) {
      return found;
    }
    if (++tried == kMaxPayloads) {
      break;
    }
  }
  return std::nullopt;
}

bool is_core(Bytes bytes) {
  return as_text(bytes).starts_with(ELFMAG) && load_le_at<std::uint16_t>(bytes, 16) == ET_CORE;
}

}  // namespace

Result<FoundConfig> read_config_file(const std::string& path) {
  const auto file = InputFile::open(path);
  if (!file) {
    return tl::unexpected(file.error());
  }
  const Bytes bytes = (*file)->bytes();
  const std::string_view start = as_text(bytes).substr(0, 4096);
  if (is_core(bytes)) {
    return fail(Errc::unsupported, path + ": this is a dump; give it with --core");
  }
  if (start.find('\0') == std::string_view::npos) {
    auto text = parsed(as_text(bytes), "the file");
    return text ? text : fail(path, text.error());
  }
  IkconfigFinder finder;
  if (const auto text = finder.find(bytes)) {
    return parsed(*text, "the image's IKCONFIG");
  }
  const auto packed = search_payloads(bytes);
  if (!packed) {
    return fail(path, packed.error());
  }
  if (*packed) {
    return parsed(**packed, "the IKCONFIG of the kernel that the image unpacks");
  }
  return fail(Errc::not_found, path +
                                   ": neither a configuration nor an image that holds one (CONFIG_IKCONFIG=y, "
                                   "packed with gzip, xz or zstd if at all)");
}

}  // namespace xstack
