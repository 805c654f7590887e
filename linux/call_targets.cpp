// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/call_targets.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <vector>

#include "base/endian.h"

namespace xstack {
namespace {

constexpr std::size_t kTargets = 512;     // different ones
constexpr std::size_t kMaxPages = 256;    // looked at
constexpr std::size_t kMaxBucket = 4096;  // functions with the same offset in their pages
constexpr unsigned kLeast = 24;           // calls that must agree
constexpr unsigned kTimesNext = 4;        // as the best of all other offsets
constexpr std::size_t kTries = 2U << 20;

enum class Code : std::uint8_t { arm, thumb, arm64, x86 };

/// Targets of the direct calls in a page, as far as bytes look like calls.
void calls_in(std::span<const std::byte> page, GuestVirt at, Code code, std::vector<std::uint64_t>& out) {
  const std::size_t step = code == Code::x86 ? 1 : code == Code::thumb ? 2 : 4;
  for (std::size_t i = 0; i + 5 <= page.size(); i += step) {
    const std::uint64_t here = at.value + i;
    const auto word = load_le<std::uint32_t>(page.data() + i);
    switch (code) {
      case Code::arm:
        if ((word & 0xff00'0000) == 0xeb00'0000) {
          out.push_back(
              static_cast<std::uint32_t>(here + 8 + static_cast<std::uint64_t>(sign_extend(word & 0xff'ffff, 24) * 4)));
        }
        break;
      case Code::thumb: {
        const std::uint32_t first = word & 0xffff;
        const std::uint32_t second = word >> 16;
        if ((first & 0xf800) == 0xf000 && (second & 0xd000) == 0xd000) {
          const std::uint32_t s = first >> 10 & 1;
          const std::uint32_t i1 = ~((second >> 13 & 1) ^ s) & 1;
          const std::uint32_t i2 = ~((second >> 11 & 1) ^ s) & 1;
          const std::uint32_t value = s << 24 | i1 << 23 | i2 << 22 | (first & 0x3ff) << 12 | (second & 0x7ff) << 1;
          out.push_back(static_cast<std::uint32_t>(here + 4 + static_cast<std::uint64_t>(sign_extend(value, 25))));
        }
        break;
      }
      case Code::arm64:
        if ((word & 0xfc00'0000) == 0x9400'0000) {
          out.push_back(here + static_cast<std::uint64_t>(sign_extend(word & 0x3ff'ffff, 26) * 4));
        }
        break;
      case Code::x86:
        if (page[i] == std::byte{0xe8}) {
          const auto distance = sign_extend(load_le<std::uint32_t>(page.data() + i + 1), 32);
          out.push_back(here + 5 + static_cast<std::uint64_t>(distance));
        }
        break;
    }
  }
}

std::optional<CallPlacement> vote(std::span<const std::uint64_t> targets, std::span<const std::uint64_t> functions,
                                  std::uint64_t mask) {
  std::vector<std::vector<std::uint64_t>> by_low_bits(kXenPageSize);
  for (const std::uint64_t function : functions) {
    auto& bucket = by_low_bits[function % kXenPageSize];
    if (bucket.size() < kMaxBucket) {
      bucket.push_back(function);
    }
  }
  std::unordered_map<std::uint64_t, unsigned> votes;
  std::size_t tries = 0;
  for (const std::uint64_t target : targets) {
    for (const std::uint64_t function : by_low_bits[target % kXenPageSize]) {
      if (++tries > kTries) {
        return std::nullopt;
      }
      ++votes[(target - function) & mask];
    }
  }
  CallPlacement best;
  unsigned next = 0;
  for (const auto& [offset, count] : votes) {
    if (count > best.agree) {
      next = best.agree;
      best = {offset, static_cast<unsigned>(targets.size()), count};
    } else {
      next = std::max(next, count);
    }
  }
  return best.agree >= kLeast && best.agree >= kTimesNext * next ? std::optional(best) : std::nullopt;
}

}  // namespace

std::optional<CallPlacement> place_by_calls(VirtMemory& memory, ArchId arch, std::span<const GuestVirt> pages,
                                            std::span<const std::uint64_t> functions) {
  std::vector<std::uint64_t> sorted(functions.begin(), functions.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<Code> kinds = {Code::x86};
  if (arch == ArchId::arm32) {
    kinds = {Code::arm, Code::thumb};
  } else if (arch == ArchId::arm64) {
    kinds = {Code::arm64};
  }
  const std::uint64_t mask = arch == ArchId::arm32 || arch == ArchId::x86_32 ? 0xffff'ffff : ~std::uint64_t{0};
  for (const Code code : kinds) {
    std::vector<std::uint64_t> targets;
    std::array<std::byte, kXenPageSize> page{};
    for (const GuestVirt at : pages.first(std::min(pages.size(), kMaxPages))) {
      if (!memory.read(at, page)) {
        continue;
      }
      calls_in(page, at, code, targets);
      std::sort(targets.begin(), targets.end());
      targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
      if (targets.size() >= kTargets) {
        break;
      }
    }
    if (const auto found = vote(targets, sorted, mask)) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace xstack
