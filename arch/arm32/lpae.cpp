// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/lpae.h"

#include <fmt/format.h>

#include <optional>

namespace xstack::arm32 {
namespace {

constexpr std::uint64_t kTableAddress = 0xfffffff000;  // bits 39:12
constexpr std::uint64_t kSwapperToLastGigabyte = 4 * 4096;

struct Half {
  std::uint64_t ttbr;
  unsigned txsz;
  bool disabled;
};

/// Which TTBR translates `va`; nothing for an address in the hole between the two.
std::optional<Half> half_of(const LpaeRegime& r, std::uint32_t va) {
  const bool zeros = r.t0sz != 0 && va >> (32 - r.t0sz) == 0;
  const bool ones = r.t1sz != 0 && ~va >> (32 - r.t1sz) == 0;
  const Half low{r.ttbr0, r.t0sz, r.epd0};
  const Half high{r.ttbr1, r.t1sz, r.epd1};
  if (zeros) {
    return low;
  }
  if (ones) {
    return high;
  }
  if (r.t0sz == 0) {
    return low;
  }
  if (r.t1sz == 0) {
    return high;
  }
  return std::nullopt;
}

}  // namespace

std::uint64_t lpae_base(std::uint64_t ttbr, unsigned txsz) {
  const unsigned alignment = txsz <= 1 ? 5 - txsz : 14 - txsz;
  return ttbr & 0xffffffffff & ~((std::uint64_t{1} << alignment) - 1);
}

tl::expected<Mapping, Fault> Lpae::walk(PhysMemory& memory, GuestVirt address) const {
  if (address.value >> 32 != 0) {
    return tl::unexpected(Fault{FaultKind::out_of_range, address.value});
  }
  const auto va = static_cast<std::uint32_t>(address.value);
  const auto half = half_of(regime_, va);
  if (!half || half->disabled) {
    return tl::unexpected(Fault{FaultKind::unmapped, va});
  }
  std::uint64_t table = lpae_base(half->ttbr, half->txsz);
  const std::uint64_t offset = va & (0xffffffffU >> half->txsz);
  const int start = half->txsz <= 1 ? 1 : 2;
  for (int level = start; level <= 3; ++level) {
    const unsigned shift = 12 + 9 * static_cast<unsigned>(3 - level);
    // The start level has as many entries as the region needs, each level below 512.
    const std::uint64_t index = level == start ? offset >> shift : (offset >> shift) & 511;
    const auto entry = memory.read_value<std::uint64_t>(GuestPhys(table + index * 8));
    if (!entry) {
      return tl::unexpected(Fault{entry.error().kind, va, level, 0, std::uint64_t{1} << shift});
    }
    if ((*entry & 1) == 0) {
      return tl::unexpected(Fault{FaultKind::unmapped, va, level, *entry, std::uint64_t{1} << shift});
    }
    const bool second_bit = (*entry & 2) != 0;
    if (level == 3 ? second_bit : !second_bit) {
      const std::uint64_t size = std::uint64_t{1} << shift;
      const std::uint64_t inside = va & (size - 1);
      return Mapping{GuestPhys((*entry & kTableAddress & ~(size - 1)) + inside), size - inside, size, level};
    }
    if (level == 3) {
      return tl::unexpected(Fault{FaultKind::bad_table, va, level, *entry, std::uint64_t{1} << shift});
    }
    table = *entry & kTableAddress;
  }
  return tl::unexpected(Fault{FaultKind::bad_table, va});
}

std::string Lpae::describe() const {
  return fmt::format("LPAE, T0SZ {}, T1SZ {}, TTBR0 {:#x}, TTBR1 {:#x}", regime_.t0sz, regime_.t1sz, regime_.ttbr0,
                     regime_.ttbr1);
}

LpaeKernelLevel1::LpaeKernelLevel1(std::uint64_t ttbr1)
    : last_gigabyte_(lpae_base(ttbr1, 2)),
      root_(last_gigabyte_ - kSwapperToLastGigabyte),
      whole_(LpaeRegime{root_, 0, 0, 0, false, true}) {}

tl::expected<Mapping, Fault> LpaeKernelLevel1::walk(PhysMemory& memory, GuestVirt va) const {
  if (last_gigabyte_ < kSwapperToLastGigabyte) {
    return tl::unexpected(Fault{FaultKind::unmapped, va.value});
  }
  const auto entry = memory.read_value<std::uint64_t>(GuestPhys(root_ + 3 * 8));
  if (!entry) {
    return tl::unexpected(Fault{entry.error().kind, va.value, 1, 0});
  }
  if ((*entry & 3) != 3 || (*entry & kTableAddress) != last_gigabyte_) {
    return tl::unexpected(Fault{FaultKind::bad_table, va.value, 1, *entry});
  }
  return whole_.walk(memory, va);
}

std::string LpaeKernelLevel1::describe() const {
  return fmt::format("LPAE, the kernel's level 1 at {:#x}, 16 KiB below TTBR1", root_);
}

}  // namespace xstack::arm32
