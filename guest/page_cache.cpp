// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/page_cache.h"

#include <algorithm>
#include <cstring>

namespace xstack {

tl::expected<std::size_t, Fault> PageCache::read_some(GuestPhys at, std::span<std::byte> out) {
  const std::uint64_t frame = at.value / kXenPageSize;
  const auto offset = static_cast<std::size_t>(at.value % kXenPageSize);
  const std::size_t n = std::min<std::size_t>(out.size(), kXenPageSize - offset);
  if (const auto kept = pages_.find(frame); kept != pages_.end()) {
    std::memcpy(out.data(), kept->second->data() + offset, n);
    return n;
  }
  if (const auto missing = absent_.find(frame); missing != absent_.end()) {
    return tl::unexpected(Fault{missing->second, at.value});
  }
  if (pages_.size() >= max_pages_) {
    ++left_out_;
    return below_.read_some(at, out.first(n));
  }
  auto page = std::make_unique<Page>();
  if (const auto whole = below_.read(GuestPhys(frame * kXenPageSize), *page); !whole) {
    const Fault& fault = whole.error();
    if (fault.address / kXenPageSize == frame && fault.address % kXenPageSize != 0) {
      // Half a page is there: no guest has that, but what can be read is served.
      return below_.read_some(at, out.first(n));
    }
    // A failure of the host may pass; an absent page stays absent.
    if (fault.kind != FaultKind::io && absent_.size() < max_pages_) {
      absent_.emplace(frame, fault.kind);
    }
    return tl::unexpected(Fault{fault.kind, at.value});
  }
  std::memcpy(out.data(), page->data() + offset, n);
  pages_.emplace(frame, std::move(page));
  return n;
}

void PageCache::prefetch(std::span<const GuestPhys> pages) {
  std::vector<GuestPhys> wanted;
  for (const GuestPhys page : pages) {
    const std::uint64_t frame = page.value / kXenPageSize;
    if (!pages_.contains(frame) && !absent_.contains(frame)) {
      wanted.push_back(page);
    }
  }
  if (!wanted.empty()) {
    below_.prefetch(wanted);
  }
}

std::vector<PageCache::Kept> PageCache::pages() const {
  std::vector<Kept> all;
  all.reserve(pages_.size());
  for (const auto& [frame, page] : pages_) {
    all.push_back({GuestPhys(frame * kXenPageSize), *page});
  }
  std::sort(all.begin(), all.end(), [](const Kept& a, const Kept& b) { return a.at < b.at; });
  return all;
}

void PageCache::clear() {
  pages_.clear();
  absent_.clear();
  left_out_ = 0;
}

}  // namespace xstack
