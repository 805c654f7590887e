// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/translated_memory.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"

namespace xstack {
namespace {

/// 64 Ki pages cover a 256 MiB guest; beyond that the cache starts afresh.
constexpr std::size_t kMaxCachedPages = 65536;

}  // namespace

TranslatedMemory::TranslatedMemory(PhysMemory& memory, std::vector<std::shared_ptr<const Translation>> translations)
    : memory_(memory), translations_(std::move(translations)) {}

void TranslatedMemory::add(std::shared_ptr<const Translation> translation) {
  translations_.push_back(std::move(translation));
}

tl::expected<Mapping, Fault> TranslatedMemory::translate(GuestVirt va) {
  tl::expected<Mapping, Fault> first = tl::unexpected(Fault{FaultKind::unmapped, va.value});
  for (std::size_t i = 0; i < translations_.size(); ++i) {
    auto mapping = translations_[i]->walk(memory_, va);
    if (mapping) {
      return mapping;
    }
    if (i == 0) {
      first = mapping;
    }
  }
  return first;
}

tl::expected<std::size_t, Fault> TranslatedMemory::read_some(GuestVirt at, std::span<std::byte> out) {
  const std::uint64_t offset = at.value % kXenPageSize;
  const std::uint64_t page = at.value / kXenPageSize;
  const std::size_t in_page = at_most(out.size(), kXenPageSize - offset);
  if (const auto known = pages_.find(page); known != pages_.end()) {
    const auto n = memory_.read_some(known->second + offset, out.first(in_page));
    return n ? n : tl::unexpected(Fault{n.error().kind, at.value});
  }
  const auto mapping = translate(at);
  if (!mapping) {
    return tl::unexpected(mapping.error());
  }
  if (mapping->page_size >= kXenPageSize) {
    if (pages_.size() >= kMaxCachedPages) {
      pages_.clear();
    }
    pages_.emplace(page, mapping->phys - offset);
  }
  const std::size_t here = at_most(out.size(), std::max<std::uint64_t>(mapping->left, 1));
  const auto n = memory_.read_some(mapping->phys, out.first(here));
  return n ? n : tl::unexpected(Fault{n.error().kind, at.value});
}

void TranslatedMemory::prefetch(std::span<const GuestVirt> pages) {
  std::vector<GuestPhys> frames;
  frames.reserve(pages.size());
  for (const GuestVirt va : pages) {
    const auto known = pages_.find(va.value / kXenPageSize);
    if (known != pages_.end()) {
      frames.push_back(known->second);
    } else if (const auto mapping = translate(va)) {
      frames.push_back(mapping->phys);
      if (mapping->page_size >= kXenPageSize && pages_.size() < kMaxCachedPages) {
        pages_.emplace(va.value / kXenPageSize, mapping->phys - va.value % kXenPageSize);
      }
    }
  }
  memory_.prefetch(frames);
}

}  // namespace xstack
