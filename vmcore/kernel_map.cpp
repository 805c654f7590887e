// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/kernel_map.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/address.h"

namespace xstack {
namespace {

/// What lies at an address: a mapping, or nothing for so many bytes.
struct Piece {
  std::optional<GuestPhys> phys;
  std::uint64_t bytes = 0;  ///< from the address that was asked for
};

Piece look(PhysMemory& memory, std::span<const std::shared_ptr<const Translation>> translations, GuestVirt at) {
  std::optional<std::uint64_t> hole;
  for (const auto& translation : translations) {
    const auto found = translation->walk(memory, at);
    if (found) {
      // Where an earlier translation has a hole, this one counts for the length of that hole only.
      return {found->phys, hole ? std::min(*hole, found->left) : found->left};
    }
    const std::uint64_t span = std::max(found.error().span, kXenPageSize);
    const std::uint64_t left = span - (at.value & (span - 1));
    hole = hole ? std::min(*hole, left) : left;
  }
  return {std::nullopt, hole.value_or(kXenPageSize)};
}

}  // namespace

KernelMap map_kernel(PhysMemory& memory, std::span<const std::shared_ptr<const Translation>> translations,
                     GuestVirt first, GuestVirt last, const KernelMapLimits& limits) {
  KernelMap map;
  std::unordered_map<std::uint64_t, unsigned>
      seen;  // pages that began a run; there are no more than page table entries
  GuestVirt at = first;
  for (std::uint64_t walks = 0;; ++walks) {
    if (walks == limits.walks) {
      map.cut = true;
      break;
    }
    Piece piece = look(memory, translations, at);
    const std::uint64_t left = last.value - at.value;  // one less than there are bytes
    const bool end = piece.bytes - 1 >= left;
    if (piece.phys) {
      const std::uint64_t bytes = end ? left + 1 : piece.bytes;
      MappedRun* before = map.runs.empty() ? nullptr : &map.runs.back();
      if (before != nullptr && before->at + before->bytes == at && before->phys + before->bytes == *piece.phys) {
        before->bytes += bytes;
      } else if (piece.bytes == kXenPageSize && ++seen[piece.phys->value] > kMaxAliases) {
        ++map.aliases_left_out;
      } else if (map.runs.size() == limits.runs) {
        map.cut = true;
        break;
      } else {
        map.runs.push_back({at, *piece.phys, bytes});
      }
    }
    if (end) {
      break;
    }
    at += piece.bytes;
  }
  return map;
}

}  // namespace xstack
