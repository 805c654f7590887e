// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/vmsa.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace xstack::arm64 {

namespace {

constexpr std::uint64_t bits(std::uint64_t value, unsigned high, unsigned low) {
  return value >> low & ((std::uint64_t{1} << (high - low + 1)) - 1);
}

constexpr std::uint64_t mask(unsigned high, unsigned low) {
  return bits(~std::uint64_t{0}, high, low) << low;
}

constexpr unsigned kLastLevel = 3;
constexpr std::uint64_t kIps52 = 6;  // TCR.IPS: 52 bits; 7 (56 bits) needs 128-bit descriptors for more

/// The lowest VA bit that a table of `level` (-1..3) translates.
unsigned level_shift(const HalfConfig& half, int level) {
  const unsigned stride = half.granule_shift - 3;
  return half.granule_shift + stride * static_cast<unsigned>(static_cast<int>(kLastLevel) - level);
}

int start_level(const HalfConfig& half) {
  const unsigned stride = half.granule_shift - 3;
  const unsigned levels = (half.va_bits - half.granule_shift + stride - 1) / stride;
  return 4 - static_cast<int>(levels);
}

/// Entries of the first table: as many as the bits that remain address.
unsigned root_index_bits(const HalfConfig& half) {
  return half.va_bits - level_shift(half, start_level(half));
}

bool wide(const HalfConfig& half) {
  return half.wide_64k || half.lpa2;
}

/// Output address field of a descriptor, down to bit `low`.
std::uint64_t output_address(const HalfConfig& half, std::uint64_t descriptor, unsigned low) {
  if (half.lpa2) {
    return (descriptor & mask(49, low)) | bits(descriptor, 9, 8) << 50;
  }
  const std::uint64_t address = descriptor & mask(47, low);
  return half.wide_64k ? address | bits(descriptor, 15, 12) << 48 : address;
}

/// May a table of this level hold a block descriptor? Arm ARM D8.3, table "block descriptors".
bool block_allowed(const HalfConfig& half, int level) {
  switch (half.granule_shift) {
    case 12:
      return level == 1 || level == 2 || (level == 0 && half.lpa2);
    case 14:
      return level == 2 || (level == 1 && half.lpa2);
    default:
      return level == 2 || (level == 1 && half.wide_64k);
  }
}

tl::unexpected<Fault> fault(FaultKind kind, GuestVirt va, int level = -2, std::uint64_t entry = 0,
                            std::uint64_t span = 0) {
  return tl::unexpected(Fault{kind, va.value, level, entry, span});
}

tl::expected<Mapping, Fault> walk_half(const HalfConfig& half, PhysMemory& memory, GuestVirt va) {
  std::uint64_t table = half.root;
  unsigned index_bits = root_index_bits(half);
  for (int level = start_level(half); level <= static_cast<int>(kLastLevel); ++level) {
    const unsigned shift = level_shift(half, level);
    const std::uint64_t index = va.value >> shift & ((std::uint64_t{1} << index_bits) - 1);
    const auto entry = memory.read_value<std::uint64_t>(GuestPhys(table + index * 8));
    if (!entry) {
      return fault(entry.error().kind, va, level, 0, std::uint64_t{1} << shift);
    }
    const std::uint64_t type = *entry & 3;
    if ((type & 1) == 0) {
      return fault(FaultKind::unmapped, va, level, *entry, std::uint64_t{1} << shift);
    }
    const bool last = level == static_cast<int>(kLastLevel);
    if (type == 3 && !last) {
      table = output_address(half, *entry, half.granule_shift);
      index_bits = half.granule_shift - 3;
      continue;
    }
    if (last ? type != 3 : !block_allowed(half, level)) {
      return fault(FaultKind::bad_table, va, level, *entry, std::uint64_t{1} << shift);
    }
    const std::uint64_t size = std::uint64_t{1} << shift;
    const std::uint64_t offset = va.value & (size - 1);
    return Mapping{GuestPhys(output_address(half, *entry, shift) | offset), size - offset, size, level};
  }
  return fault(FaultKind::bad_table, va);  // not reached: the last level always decides
}

class Vmsa64 final : public Translation {
 public:
  Vmsa64(std::optional<HalfConfig> low, std::optional<HalfConfig> high) : low_(low), high_(high) {}

  [[nodiscard]] tl::expected<Mapping, Fault> walk(PhysMemory& memory, GuestVirt va) const override {
    const bool high = (va.value >> 55 & 1) != 0;
    const auto& half = high ? high_ : low_;
    if (!half || !half->enabled) {
      return fault(FaultKind::out_of_range, va);
    }
    const unsigned checked_top = half->top_byte_ignored ? 55 : 63;
    const std::uint64_t above = half->va_bits <= checked_top ? mask(checked_top, half->va_bits) : 0;
    if ((va.value & above) != (high ? above : 0)) {
      return fault(FaultKind::out_of_range, va);
    }
    return walk_half(*half, memory, va);
  }

  [[nodiscard]] std::string describe() const override {
    std::string text = "VMSAv8-64";
    for (const auto& [half, name] : {std::pair(&low_, "TTBR0"), std::pair(&high_, "TTBR1")}) {
      if (*half && (*half)->enabled) {
        const HalfConfig& h = **half;
        text += fmt::format(", {} {:#x} ({} KiB granule, {}-bit{})", name, h.root, (1U << h.granule_shift) / 1024,
                            h.va_bits,
                            h.lpa2       ? ", LPA2"
                            : h.wide_64k ? ", LPA"
                                         : "");
      }
    }
    return text;
  }

 private:
  std::optional<HalfConfig> low_;
  std::optional<HalfConfig> high_;
};

class MmuOff final : public Translation {
 public:
  [[nodiscard]] tl::expected<Mapping, Fault> walk(PhysMemory&, GuestVirt va) const override {
    const std::uint64_t offset = va.value % kXenPageSize;
    return Mapping{GuestPhys(va.value), kXenPageSize - offset, kXenPageSize, 0};
  }
  [[nodiscard]] std::string describe() const override { return "MMU off"; }
};

}  // namespace

std::optional<HalfConfig> half_config(std::uint64_t tcr, std::uint64_t ttbr, Half half) {
  const bool high = half == Half::high;
  HalfConfig config;
  config.enabled = bits(tcr, high ? 23 : 7, high ? 23 : 7) == 0;
  // The two granule fields are coded differently.
  const std::uint64_t granule = high ? bits(tcr, 31, 30) : bits(tcr, 15, 14);
  if (granule == (high ? 2U : 0U)) {
    config.granule_shift = 12;
  } else if (granule == (high ? 1U : 2U)) {
    config.granule_shift = 14;
  } else if (granule == (high ? 3U : 1U)) {
    config.granule_shift = 16;
  } else {
    return std::nullopt;
  }
  config.va_bits = 64 - static_cast<unsigned>(high ? bits(tcr, 21, 16) : bits(tcr, 5, 0));
  config.top_byte_ignored = bits(tcr, high ? 38 : 37, high ? 38 : 37) != 0;
  config.lpa2 = bits(tcr, 59, 59) != 0 && config.granule_shift != 16;
  config.wide_64k = config.granule_shift == 16 && bits(tcr, 34, 32) >= kIps52;
  // 52-bit addresses need LPA2, or the 64K granule (FEAT_LVA); the smallest space is 16 bits (FEAT_TTST: TnSZ up to
  // 48).
  const unsigned most = config.lpa2 || config.granule_shift == 16 ? 52 : 48;
  if (config.va_bits > most || config.va_bits <= config.granule_shift || config.va_bits < 16) {
    return std::nullopt;
  }
  // Bits 63:48 are the ASID, bit 0 is CnP; a table smaller than a page is aligned to its size, 64 bytes at least when
  // BADDR[5:2] holds address bits 51:48.
  const unsigned table_bits = root_index_bits(config) + 3;
  config.root = ttbr & mask(47, std::max(table_bits, wide(config) ? 6U : 1U));
  if (wide(config)) {
    config.root |= bits(ttbr, 5, 2) << 48;
  }
  return config;
}

unsigned kernel_va_bits(std::uint64_t tcr) {
  return 64 - static_cast<unsigned>(bits(tcr, 21, 16));
}

std::shared_ptr<const Translation> make_translation(std::uint64_t sctlr, std::uint64_t tcr, std::uint64_t ttbr0,
                                                    std::uint64_t ttbr1) {
  if ((sctlr & 1) == 0) {
    return std::make_shared<MmuOff>();
  }
  return std::make_shared<Vmsa64>(half_config(tcr, ttbr0, Half::low), half_config(tcr, ttbr1, Half::high));
}

std::shared_ptr<const Translation> make_kernel_translation(const HalfConfig& half) {
  return std::make_shared<Vmsa64>(std::nullopt, half);
}

std::shared_ptr<const Translation> make_kernel_translation(std::uint64_t tcr, GuestPhys root) {
  auto high = half_config(tcr, 0, Half::high);
  if (high) {
    high->enabled = true;
    high->root = root.value;
  }
  return std::make_shared<Vmsa64>(std::nullopt, high);
}

}  // namespace xstack::arm64
