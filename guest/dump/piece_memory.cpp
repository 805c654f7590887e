// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/piece_memory.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

namespace xstack {

bool PieceMap::add(std::uint64_t begin, std::uint64_t size, std::uint64_t offset) {
  if (size > ~begin) {
    return false;
  }
  if (size == 0) {
    return true;
  }
  if (!pieces_.empty()) {
    Piece& last = pieces_.back();
    if (last.begin + last.size == begin && last.offset + last.size == offset) {
      last.size += size;
      return true;
    }
  }
  pieces_.push_back({begin, size, offset});
  return true;
}

void PieceMap::finish() {
  std::map<std::uint64_t, std::uint64_t> covered;  // begin to end, disjoint; neighbours are joined
  std::vector<Piece> kept;
  for (const Piece& piece : std::exchange(pieces_, {})) {
    std::uint64_t begin = piece.begin;
    std::uint64_t end = piece.begin + piece.size;
    auto next = covered.upper_bound(begin);
    if (next != covered.begin() && std::prev(next)->second >= begin) {
      --next;
    }
    // Every interval that is passed here is joined into one, so that each is passed once.
    std::uint64_t at = begin;
    while (next != covered.end() && next->first <= end) {
      if (next->first > at) {
        kept.push_back({at, next->first - at, piece.offset + (at - piece.begin)});
      }
      at = std::max(at, next->second);
      begin = std::min(begin, next->first);
      next = covered.erase(next);
    }
    if (at < end) {
      kept.push_back({at, end - at, piece.offset + (at - piece.begin)});
    }
    end = std::max(end, at);
    covered.emplace(begin, end);
  }
  std::sort(kept.begin(), kept.end(), [](const Piece& a, const Piece& b) { return a.begin < b.begin; });
  pieces_ = std::move(kept);
}

std::optional<PieceMap::Found> PieceMap::find(std::uint64_t address) const {
  const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), address,
                                      [](std::uint64_t wanted, const Piece& piece) { return wanted < piece.begin; });
  if (after == pieces_.begin()) {
    return std::nullopt;
  }
  const Piece& piece = *std::prev(after);
  const std::uint64_t into = address - piece.begin;
  return into < piece.size ? std::optional(Found{piece.offset + into, piece.size - into}) : std::nullopt;
}

std::vector<FrameRange> PieceMap::frames() const {
  std::vector<FrameRange> out;
  for (std::size_t i = 0; i < pieces_.size();) {
    const std::uint64_t begin = pieces_[i].begin;
    std::uint64_t end = begin;
    for (; i < pieces_.size() && pieces_[i].begin == end; ++i) {
      end += pieces_[i].size;
    }
    const std::uint64_t first = begin / kXenPageSize + (begin % kXenPageSize != 0 ? 1 : 0);
    const std::uint64_t last = end / kXenPageSize;
    if (first < last) {
      out.push_back({GuestPhys(first * kXenPageSize), last - first});
    }
  }
  return out;
}

tl::expected<std::size_t, Fault> PieceMemory::read_some(GuestPhys at, std::span<std::byte> out) {
  const auto found = map_.find(at.value);
  const auto bytes = file_->bytes();
  if (!found || found->offset >= bytes.size()) {
    return tl::unexpected(Fault{FaultKind::absent, at.value});
  }
  const std::uint64_t n = std::min<std::uint64_t>({out.size(), found->left, bytes.size() - found->offset});
  std::memcpy(out.data(), bytes.data() + found->offset, static_cast<std::size_t>(n));
  return static_cast<std::size_t>(n);
}

}  // namespace xstack
