// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/foreign_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "guest/xen/domain.h"

namespace xstack::xen {
namespace {

// Absent frames that are remembered: as many as a search of a few GiB of holes asks for more than once.
constexpr std::size_t kMaxAbsent = 65536;
// The page size as a length in our own memory: 32 bits wide on a 32-bit host.
constexpr std::size_t kPage = kXenPageSize;

std::optional<Pfn> frame_of(GuestPhys at) {
  const std::uint64_t frame = at.value / kXenPageSize;
  return frame <= std::numeric_limits<Pfn>::max() ? std::optional(static_cast<Pfn>(frame)) : std::nullopt;
}

}  // namespace

ForeignMemory::~ForeignMemory() {
  while (!regions_.empty()) {
    unmap_oldest();
  }
}

tl::expected<std::size_t, Fault> ForeignMemory::read_some(GuestPhys at, std::span<std::byte> out) {
  const auto frame = frame_of(at);
  if (!frame) {
    return tl::unexpected(Fault{FaultKind::out_of_range, at.value});
  }
  const auto offset = static_cast<std::size_t>(at.value % kXenPageSize);
  if (absent_.contains(*frame)) {
    return tl::unexpected(Fault{FaultKind::absent, at.value});
  }
  auto page = pages_.find(*frame);
  if (page == pages_.end()) {
    const std::size_t span = (offset + out.size() + kPage - 1) / kPage;
    if (span >= kBulk) {
      return read_bulk(at, out);
    }
    std::vector<Pfn> wanted;
    for (std::size_t i = 0; i < span; ++i) {
      const auto next = frame_of(at + i * kXenPageSize);
      if (next && !pages_.contains(*next) && !absent_.contains(*next)) {
        wanted.push_back(*next);
      }
    }
    map(std::move(wanted));
    page = pages_.find(*frame);
    if (page == pages_.end()) {
      return tl::unexpected(Fault{absent_.contains(*frame) ? FaultKind::absent : FaultKind::io, at.value});
    }
  }
  const std::size_t n = std::min(out.size(), kPage - offset);
  std::memcpy(out.data(), page->second + offset, n);
  return n;
}

void ForeignMemory::prefetch(std::span<const GuestPhys> pages) {
  std::vector<Pfn> wanted;
  std::unordered_set<Pfn> seen;
  for (const GuestPhys page : pages) {
    const auto frame = frame_of(page);
    if (frame && !pages_.contains(*frame) && !absent_.contains(*frame) && seen.insert(*frame).second) {
      wanted.push_back(*frame);
    }
    if (wanted.size() == kMaxMapped / 2) {
      break;  // more would push out what was fetched first
    }
  }
  for (std::size_t i = 0; i < wanted.size(); i += kBatch) {
    map(std::vector<Pfn>(wanted.begin() + static_cast<std::ptrdiff_t>(i),
                         wanted.begin() + static_cast<std::ptrdiff_t>(std::min(i + kBatch, wanted.size()))));
  }
}

/// Reads page by page what one call maps, up to the first page that is not there; keeps no mapping.
tl::expected<std::size_t, Fault> ForeignMemory::read_bulk(GuestPhys at, std::span<std::byte> out) {
  const auto offset = static_cast<std::size_t>(at.value % kXenPageSize);
  const std::size_t span = std::min(kBatch, (offset + out.size() + kPage - 1) / kPage);
  std::vector<Pfn> frames;
  for (std::size_t i = 0; i < span; ++i) {
    const auto frame = frame_of(at + i * kXenPageSize);
    if (!frame || (i != 0 && *frame == 0)) {
      break;
    }
    frames.push_back(*frame);
  }
  std::vector<int> errors;
  void* address = map_call(frames, errors);
  if (address == nullptr) {
    return tl::unexpected(Fault{FaultKind::io, at.value});
  }
  std::size_t there = 0;
  while (there < errors.size() && errors[there] == 0) {
    ++there;
  }
  if (there < frames.size() && !vanished_) {
    remember_absent(frames[there]);
  }
  const std::size_t n = there == 0 ? 0 : std::min(out.size(), there * kPage - offset);
  std::memcpy(out.data(), static_cast<const std::byte*>(address) + offset, n);
  host_->call().foreign_unmap(host_->foreign(), address, frames.size());
  if (n == 0) {
    return tl::unexpected(Fault{vanished_ ? FaultKind::io : FaultKind::absent, at.value});
  }
  return n;
}

void ForeignMemory::map(std::vector<Pfn> frames) {
  if (frames.empty()) {
    return;
  }
  while (!regions_.empty() && mapped_ + frames.size() > kMaxMapped) {
    unmap_oldest();
  }
  std::vector<int> errors;
  void* address = map_call(frames, errors);
  if (address == nullptr) {
    return;
  }
  const auto* bytes = static_cast<const std::byte*>(address);
  bool any = false;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (errors[i] == 0) {
      pages_.insert_or_assign(frames[i], bytes + i * kPage);
      any = true;
    } else if (!vanished_) {
      remember_absent(frames[i]);
    }
  }
  if (!any) {
    host_->call().foreign_unmap(host_->foreign(), address, frames.size());
    return;
  }
  mapped_ += frames.size();
  regions_.push_back({address, std::move(frames)});
}

/// One call for all of `frames`; `errors` gets an errno for each page, of which those that are not 0 must not be
/// touched. Null when the call as a whole failed.
void* ForeignMemory::map_call(const std::vector<Pfn>& frames, std::vector<int>& errors) {
  if (vanished_ || frames.empty()) {
    return nullptr;
  }
  errors.assign(frames.size(), 0);
  const auto& call = host_->call();
  void* address = call.foreign_map(host_->foreign(), domid_, PROT_READ, frames.size(), frames.data(), errors.data());
  const auto good = address == nullptr ? 0 : static_cast<std::size_t>(std::count(errors.begin(), errors.end(), 0));
  pages_mapped_ += good;
  if (good == 0) {
    // Not one page: a hole, or no domain any more. A dying one gives its memory up page by page.
    const auto still = find_domain(*host_, domid_);
    vanished_ = still && (!*still || ((*still)->state.run == RunState::dying && !was_dying_));
  }
  return address;
}

void ForeignMemory::unmap_oldest() {
  const Region region = std::move(regions_.front());
  regions_.pop_front();
  const auto* bytes = static_cast<const std::byte*>(region.address);
  for (std::size_t i = 0; i < region.frames.size(); ++i) {
    const auto page = pages_.find(region.frames[i]);
    if (page != pages_.end() && page->second == bytes + i * kPage) {
      pages_.erase(page);
    }
  }
  host_->call().foreign_unmap(host_->foreign(), region.address, region.frames.size());
  mapped_ -= region.frames.size();
}

void ForeignMemory::remember_absent(Pfn frame) {
  if (absent_.size() < kMaxAbsent) {
    absent_.insert(frame);
  }
}

}  // namespace xstack::xen
