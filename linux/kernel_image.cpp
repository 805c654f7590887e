// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kernel_image.h"

#include <algorithm>

#include "base/endian.h"
#include "linux/vmcoreinfo.h"

namespace xstack {
namespace {

constexpr std::uint64_t kImageLimit = 128U << 20;  // mapped bytes looked at in one direction
constexpr std::uint64_t kMaxHole = 32U << 20;      // freed init memory is a hole between rodata and data
constexpr std::size_t kOverlap = 512;              // a banner, or the digits, across two pieces
constexpr std::size_t kMaxBanner = 480;
constexpr std::string_view kBannerStart = "Linux version ";
constexpr unsigned kMaxHits = 16;

class Scan {
 public:
  Scan(VirtMemory& search, unsigned word_size, FoundImage& found)
      : search_(search), word_size_(word_size), found_(found) {}

  /// False when the tables were found.
  bool operator()(GuestVirt at, std::span<const std::byte> bytes) {
    if (!found_.banner) {
      found_.banner = find_banner(bytes);
    }
    for (const std::size_t offset : find_digit_tokens(bytes)) {
      if (++hits_ > kMaxHits) {
        return false;
      }
      if ((found_.kallsyms = locate_kallsyms(search_, at + offset, word_size_))) {
        return false;
      }
    }
    return true;
  }

 private:
  VirtMemory& search_;
  unsigned word_size_;
  FoundImage& found_;
  unsigned hits_ = 0;
};

}  // namespace

std::optional<std::string> find_banner(std::span<const std::byte> bytes) {
  const auto first = load_le<std::uint32_t>(std::as_bytes(std::span(kBannerStart)).data());
  for (std::size_t at = 0; at + kMaxBanner <= bytes.size(); at += 4) {
    if (load_le<std::uint32_t>(bytes.data() + at) != first) {
      continue;
    }
    std::string text;
    for (const std::byte b : bytes.subspan(at, kMaxBanner)) {
      const char c = static_cast<char>(b);
      if (c < ' ' || c == 0x7f) {
        break;
      }
      text.push_back(c);
    }
    if (text.starts_with(kBannerStart) && release_of_banner(text) && text.find(" (") != std::string::npos) {
      return text;
    }
  }
  return std::nullopt;
}

std::optional<std::string> release_of_banner(std::string_view banner) {
  if (!banner.starts_with(kBannerStart)) {
    return std::nullopt;
  }
  banner.remove_prefix(kBannerStart.size());
  const std::string_view release = banner.substr(0, banner.find(' '));
  return is_release(release) ? std::optional(std::string(release)) : std::nullopt;
}

FoundImage search_image(PageProbe& probe, VirtMemory& search, std::span<const AnchorCluster> anchors,
                        unsigned word_size) {
  FoundImage found;
  Scan scan(search, word_size, found);
  const auto visit = [&](GuestVirt at, std::span<const std::byte> bytes) { return scan(at, bytes); };
  for (const AnchorCluster& anchor : anchors) {
    const std::uint64_t top = word_size == 4 ? 0xffffffffU : ~std::uint64_t{0};
    const ScanBounds up{anchor.lowest, GuestVirt(top), kImageLimit, kMaxHole};
    scan_mapped(probe, search, up, kOverlap, visit);
    if (!found.kallsyms) {
      // The tables stand above the code; an anchor in data or init text may be above them.
      const std::uint64_t down = std::min(anchor.lowest.value, kImageLimit / 2);
      scan_mapped(probe, search, {anchor.lowest - down, anchor.lowest, kImageLimit / 2, kImageLimit}, kOverlap, visit);
    }
    if (found.kallsyms) {
      break;
    }
  }
  return found;
}

}  // namespace xstack
