// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kernel_image.h"

#include <algorithm>

#include "base/endian.h"
#include "linux/address_table_scan.h"
#include "linux/vmcoreinfo.h"

namespace xstack {
namespace {

constexpr std::uint64_t kImageLimit = 128U << 20;  // mapped bytes looked at in one direction
constexpr std::uint64_t kMaxHole = 32U << 20;      // freed init memory is a hole between rodata and data
constexpr std::size_t kOverlap = 512;              // a banner, or the digits, across two pieces
constexpr std::size_t kMaxBanner = 480;
constexpr std::string_view kBannerStart = "Linux version ";
constexpr unsigned kMaxHits = 16;
constexpr unsigned kMaxHints = 16;                  // tables of sorted addresses around which names are looked for
constexpr std::uint64_t kTokensBelow = 24U << 10;   // from the token table to the addresses, where these come last
constexpr std::uint64_t kNamesAbove = 1U << 20;     // from the addresses to the token table, where these come first,
constexpr std::uint64_t kNamesPerAddress = 8;       // beside so much for each byte of the table: 32 for a symbol
constexpr std::uint64_t kBannerBelow = 128U << 10;  // from the banner to the tables, where it comes last
constexpr std::uint64_t kNamesPiece = 256U << 10;

class Scan {
 public:
  Scan(VirtMemory& search, unsigned word_size, bool image_virtual, FoundImage& found)
      : search_(search), word_size_(word_size), image_virtual_(image_virtual), found_(found) {}

  /// False when the tables were found.
  bool operator()(GuestVirt at, std::span<const std::byte> bytes) {
    if (!found_.banner) {
      found_.banner = find_banner(bytes);
    }
    for (const std::size_t offset : find_digit_tokens(bytes)) {
      if (++hits_ > kMaxHits) {
        return false;
      }
      if ((found_.kallsyms = locate_kallsyms(search_, at + offset, word_size_, image_virtual_))) {
        return false;
      }
    }
    return true;
  }

 private:
  VirtMemory& search_;
  unsigned word_size_;
  bool image_virtual_;
  FoundImage& found_;
  unsigned hits_ = 0;
};

/// The quick way: few pages show where a table of sorted addresses is, and the token table is not far from it.
void search_sampled(PageProbe& probe, VirtMemory& search, ScanBounds bounds, unsigned word_size, Scan& scan,
                    const FoundImage& found) {
  const auto visit = [&](GuestVirt at, std::span<const std::byte> bytes) { return scan(at, bytes); };
  for (unsigned hints = 0; hints < kMaxHints && bounds.begin < bounds.end; ++hints) {
    const auto hint = find_address_table(probe, search, bounds, word_size);
    if (!hint) {
      return;
    }
    const std::uint64_t below = std::min(hint->first.value, kSampleStride + kTokensBelow);
    scan_mapped(probe, search, {hint->first - below, hint->first, below, below}, kOverlap, visit);
    const std::uint64_t names = (hint->last - hint->first + 2 * kSampleStride) * kNamesPerAddress;
    const std::uint64_t above = std::min(~std::uint64_t{0} - hint->last.value, kNamesAbove + names);
    for (std::uint64_t at = 0; at < above && !found.kallsyms; at += kNamesPiece) {
      const GuestVirt begin = hint->last + (at == 0 ? 0 : at - kOverlap);
      const GuestVirt end = hint->last + std::min(at + kNamesPiece, above);
      if (scan_mapped(probe, search, {begin, end, 2 * kNamesPiece, kNamesPiece}, kOverlap, visit) <= begin) {
        break;
      }
    }
    if (found.kallsyms) {
      return;
    }
    bounds.begin = GuestVirt(std::min(hint->last.value, bounds.end.value - kSampleStride) + kSampleStride);
  }
}

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
                        unsigned word_size, const ImageSearch& how) {
  FoundImage found;
  const GuestVirt top(word_size == 4 ? 0xffffffffU : ~std::uint64_t{0});
  const auto upward = [&](const AnchorCluster& anchor) { return ScanBounds{anchor.lowest, top, how.bytes, kMaxHole}; };
  // The tables stand above the code; an anchor in data or init text may be above them.
  const auto downward = [&](const AnchorCluster& anchor) {
    const std::uint64_t down = std::min(anchor.lowest.value, how.bytes / 2);
    return ScanBounds{anchor.lowest - down, anchor.lowest, how.bytes / 2, how.bytes};
  };
  for (const AnchorCluster& anchor : anchors) {
    for (const ScanBounds& bounds : {upward(anchor), downward(anchor)}) {
      Scan scan(search, word_size, how.image_virtual, found);
      search_sampled(probe, search, bounds, word_size, scan, found);
      if (found.kallsyms) {
        return found;
      }
    }
  }
  // A small kernel's table may have fallen between the samples: everything is read.
  Scan scan(search, word_size, how.image_virtual, found);
  const auto visit = [&](GuestVirt at, std::span<const std::byte> bytes) { return scan(at, bytes); };
  for (const AnchorCluster& anchor : anchors) {
    for (const ScanBounds& bounds : {upward(anchor), downward(anchor)}) {
      scan_mapped(probe, search, bounds, kOverlap, visit);
      if (found.kallsyms) {
        return found;
      }
    }
  }
  return found;
}

std::optional<std::string> search_banner(PageProbe& probe, VirtMemory& search, GuestVirt text_end, GuestVirt tables) {
  std::optional<std::string> banner;
  const auto visit = [&](GuestVirt, std::span<const std::byte> bytes) { return !(banner = find_banner(bytes)); };
  // Read-only data begins on a page, a section or a huge page behind the code, with init/version.c's.
  for (const std::uint64_t alignment : {4U << 10, 64U << 10, 1U << 20, 2U << 20}) {
    const GuestVirt at((text_end.value + alignment - 1) & ~(alignment - 1));
    if (!banner && at.value <= ~std::uint64_t{0} - kXenPageSize) {
      scan_mapped(probe, search, {at, at + kXenPageSize, kXenPageSize, kXenPageSize}, 0, visit);
    }
  }
  if (!banner && text_end < tables) {  // later kernels link it in last of all but kallsyms
    const std::uint64_t below = std::min(tables - text_end, kBannerBelow);
    scan_mapped(probe, search, {tables - below, tables, below, below}, kOverlap, visit);
  }
  if (!banner && text_end < tables) {
    scan_mapped(probe, search, {text_end, tables, kImageLimit, kMaxHole}, kOverlap, visit);
  }
  return banner;
}

}  // namespace xstack
