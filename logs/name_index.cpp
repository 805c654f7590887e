// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/name_index.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

namespace xstack::logs {

NameIndex::NameIndex(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::uint64_t next = 0;
  for (std::size_t i = entries_.size(); i-- != 0;) {
    if (i + 1 < entries_.size() && entries_[i + 1].address != entries_[i].address) {
      next = entries_[i + 1].address;
    }
    entries_[i].reach = next == 0 ? 0 : next - entries_[i].address;
  }
  slots_.resize(std::bit_ceil(entries_.size() * 2 + 1));
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t slot = std::hash<std::string_view>{}(entries_[i].name) & mask;
    while (slots_[slot] != 0) {
      slot = (slot + 1) & mask;
    }
    slots_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

std::vector<NameIndex::Entry> NameIndex::find(std::string_view name) const {
  std::vector<Entry> found;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = std::hash<std::string_view>{}(name)&mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const Entry& entry = entries_[slots_[slot] - 1];
    if (entry.name == name) {
      found.push_back(entry);
    }
  }
  std::ranges::sort(found, {}, &Entry::address);
  return found;
}

}  // namespace xstack::logs
