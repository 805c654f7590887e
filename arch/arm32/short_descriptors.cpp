// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/short_descriptors.h"

#include <fmt/format.h>

namespace xstack::arm32 {
namespace {

constexpr std::uint64_t kSection = 0x100000;

Mapping leaf(std::uint64_t base, std::uint32_t va, std::uint64_t size, int level) {
  const std::uint64_t offset = va & (size - 1);
  return {GuestPhys(base + offset), size - offset, size, level};
}

}  // namespace

tl::expected<Mapping, Fault> ShortDescriptors::walk(PhysMemory& memory, GuestVirt address) const {
  if (address.value >> 32 != 0) {
    return tl::unexpected(Fault{FaultKind::out_of_range, address.value});
  }
  const auto va = static_cast<std::uint32_t>(address.value);
  const bool low = regime_.n == 0 || va >> (32 - regime_.n) == 0;
  if (low ? regime_.pd0 : regime_.pd1) {
    return tl::unexpected(Fault{FaultKind::unmapped, va});
  }
  // TTBR0's table shrinks with N; TTBR1's is always 16 KiB. The bits below are cache attributes.
  const unsigned n = low ? regime_.n : 0;
  const std::uint32_t base = (low ? regime_.ttbr0 : regime_.ttbr1) & ~((1U << (14 - n)) - 1);
  const std::uint32_t index = (va << n >> n) >> 20;
  const auto first = memory.read_value<std::uint32_t>(GuestPhys(base) + std::uint64_t{index} * 4);
  if (!first) {
    return tl::unexpected(Fault{first.error().kind, va, 1, 0, kSection});
  }
  const std::uint32_t l1 = *first;
  if ((l1 & 3) == 0) {
    return tl::unexpected(Fault{FaultKind::unmapped, va, 1, l1, kSection});
  }
  if ((l1 & 2) != 0) {  // bit 0 is PXN here
    if ((l1 & (1U << 18)) == 0) {
      return leaf(l1 & 0xfff00000, va, 0x100000, 1);
    }
    const std::uint64_t high = (std::uint64_t{(l1 >> 20) & 0xf} << 32) | (std::uint64_t{(l1 >> 5) & 0xf} << 36);
    return leaf((l1 & 0xff000000) | high, va, 0x1000000, 1);
  }
  const std::uint64_t table = (l1 & 0xfffffc00) + std::uint64_t{(va >> 12) & 0xff} * 4;
  const auto second = memory.read_value<std::uint32_t>(GuestPhys(table));
  if (!second) {
    return tl::unexpected(Fault{second.error().kind, va, 2, 0, kXenPageSize});
  }
  const std::uint32_t l2 = *second;
  if ((l2 & 3) == 0) {
    return tl::unexpected(Fault{FaultKind::unmapped, va, 2, l2, kXenPageSize});
  }
  if ((l2 & 2) != 0) {  // bit 0 is XN here
    return leaf(l2 & 0xfffff000, va, 0x1000, 2);
  }
  return leaf(l2 & 0xffff0000, va, 0x10000, 2);
}

std::string ShortDescriptors::describe() const {
  const std::string high = regime_.n == 0 ? std::string() : fmt::format(", TTBR1 {:#x}", regime_.ttbr1);
  return fmt::format("short descriptors, N {}, TTBR0 {:#x}{}", regime_.n, regime_.ttbr0, high);
}

}  // namespace xstack::arm32
