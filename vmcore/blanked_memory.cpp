// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/blanked_memory.h"

#include <algorithm>

namespace xstack {

BlankedMemory::BlankedMemory(PhysMemory& below, std::vector<PhysSpan> blanks) : below_(below) {
  std::sort(blanks.begin(), blanks.end(), [](const PhysSpan& a, const PhysSpan& b) { return a.at < b.at; });
  for (const PhysSpan& span : blanks) {
    if (!blanks_.empty() && span.at <= blanks_.back().at + blanks_.back().bytes) {
      const std::uint64_t end = span.at - blanks_.back().at + span.bytes;
      blanks_.back().bytes = std::max(blanks_.back().bytes, end);
    } else {
      blanks_.push_back(span);
    }
  }
}

tl::expected<std::size_t, Fault> BlankedMemory::read_some(GuestPhys at, std::span<std::byte> out) {
  auto n = below_.read_some(at, out);
  if (!n) {
    return n;
  }
  const GuestPhys end = at + *n;
  auto span = std::upper_bound(blanks_.begin(), blanks_.end(), at,
                               [](GuestPhys value, const PhysSpan& s) { return value < s.at + s.bytes; });
  for (; span != blanks_.end() && span->at < end; ++span) {
    const std::uint64_t from = std::max(at, span->at) - at;
    const std::uint64_t to = std::min(end, span->at + span->bytes) - at;
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(from), out.begin() + static_cast<std::ptrdiff_t>(to),
              std::byte{0});
  }
  return n;
}

}  // namespace xstack
