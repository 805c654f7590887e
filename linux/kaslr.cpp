// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kaslr.h"

namespace xstack {
namespace {

/// Is this _text or _stext of an image linked at `base` and not slid? _stext stands 64 KiB above at most.
bool is_at(std::uint64_t text, std::uint64_t base) {
  return text == base || text == base + 0x10000;
}

}  // namespace

std::optional<std::uint64_t> derive_kaslr_offset(ArchId arch, GuestVirt text) {
  const std::uint64_t at = text.value;
  switch (arch) {
    case ArchId::arm32:
      return 0;
    case ArchId::x86_32: {
      // Linked at PAGE_OFFSET + CONFIG_PHYSICAL_START, 16 MiB unless someone chose otherwise, and slid in steps of
      // CONFIG_PHYSICAL_ALIGN, 8 KiB at least.
      for (const std::uint64_t page_offset : {0xc0000000U, 0xb0000000U, 0x80000000U, 0x78000000U, 0x40000000U}) {
        const std::uint64_t linked = page_offset + (16U << 20);
        if (at >= page_offset) {
          const bool sane = at >= linked && (at - linked) % 0x2000 == 0 && at - linked < (std::uint64_t{1} << 30);
          return sane ? std::optional(at - linked) : std::nullopt;
        }
      }
      return std::nullopt;
    }
    case ArchId::x86_64: {
      constexpr std::uint64_t kLinked = 0xffffffff81000000;
      constexpr std::uint64_t kStep = 2U << 20;  // CONFIG_PHYSICAL_ALIGN
      const std::uint64_t offset = at - kLinked;
      return at >= kLinked && offset % kStep == 0 && offset < (1U << 30) ? std::optional(offset) : std::nullopt;
    }
    case ArchId::arm64:
      break;
  }
  for (const std::uint64_t base :
       {0xffff800080000000ULL, 0xffff800010000000ULL, 0xffff800008000000ULL, 0xffff000008080000ULL,
        0xffffffc080000000ULL, 0xffffffc010000000ULL, 0xffffffc008000000ULL}) {
    if (is_at(at, base)) {
      return 0;
    }
  }
  return std::nullopt;  // slid, but which of the bases it was linked at is not known
}

}  // namespace xstack
