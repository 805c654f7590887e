// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/orc.h"

#include <algorithm>
#include <utility>

#include "base/endian.h"

namespace xstack::x86 {
namespace {

/// A register code in the numbering of up to 6.12.
std::optional<OrcBase> base_sp5(unsigned code) {
  static constexpr std::array kBases = {OrcBase::undefined,   OrcBase::prev_sp,    OrcBase::dx,  OrcBase::di,
                                        OrcBase::bp,          OrcBase::sp,         OrcBase::r10, OrcBase::r13,
                                        OrcBase::bp_indirect, OrcBase::sp_indirect};
  return code < kBases.size() ? std::optional(kBases[code]) : std::nullopt;
}

/// The same in the later numbering.
std::optional<OrcBase> base_sp3(unsigned code) {
  static constexpr std::array kBases = {OrcBase::undefined, OrcBase::ax,          OrcBase::dx,         OrcBase::sp,
                                        OrcBase::bp,        OrcBase::di,          OrcBase::r10,        OrcBase::r13,
                                        OrcBase::prev_sp,   OrcBase::sp_indirect, OrcBase::bp_indirect};
  return code < kBases.size() ? std::optional(kBases[code]) : std::nullopt;
}

std::optional<OrcBase> base_of(unsigned code, const OrcLayout& layout) {
  return layout.registers == OrcLayout::Registers::sp5 ? base_sp5(code) : base_sp3(code);
}

/// Kind and signal flag of the layouts with a two-bit type, where "undefined" and "end" are told by the base.
void decode_old_kind(std::uint16_t flags, const OrcLayout& layout, OrcEntry& entry, bool& valid) {
  const unsigned type = (flags >> 8) & 3;
  const bool has_signal = layout.types == OrcLayout::Types::call0_signal10_end11;
  const bool end = (flags & (has_signal ? 1U << 11 : 1U << 10)) != 0;
  valid = type != 3;
  if (entry.sp_base == OrcBase::undefined) {
    entry.kind = end || layout.no_end_flag ? OrcKind::end : OrcKind::undefined;
    return;
  }
  entry.kind = type == 0 ? OrcKind::call : type == 1 ? OrcKind::regs : OrcKind::regs_partial;
  entry.signal = has_signal ? (flags & (1U << 10)) != 0 : type != 0;
}

void decode_new_kind(std::uint16_t flags, OrcEntry& entry, bool& valid) {
  static constexpr std::array kKinds = {OrcKind::undefined, OrcKind::end, OrcKind::call, OrcKind::regs,
                                        OrcKind::regs_partial};
  const unsigned type = (flags >> 8) & 7;
  valid = type < kKinds.size();
  if (valid) {
    entry.kind = kKinds[type];
  }
  entry.signal = (flags & (1U << 11)) != 0;
}

}  // namespace

std::optional<OrcEntry> decode_orc(std::span<const std::byte, kOrcEntrySize> bytes, const OrcLayout& layout) {
  const auto flags = load_le<std::uint16_t>(&bytes[4]);
  const auto sp_base = base_of(flags & 0xf, layout);
  const auto bp_base = base_of((flags >> 4) & 0xf, layout);
  if (!sp_base || !bp_base) {
    return std::nullopt;
  }
  OrcEntry entry;
  entry.sp_base = *sp_base;
  entry.bp_base = *bp_base;
  entry.sp_offset = load_le<std::int16_t>(bytes.data());
  entry.bp_offset = load_le<std::int16_t>(&bytes[2]);
  bool valid = true;
  if (layout.types == OrcLayout::Types::call2_type3_signal11) {
    decode_new_kind(flags, entry, valid);
  } else {
    decode_old_kind(flags, layout, entry, valid);
  }
  if (!valid) {
    return std::nullopt;
  }
  // Up to 5.11 the offset was added before reading, and only entry code used it, with pt_regs or an iret frame; since
  // 5.12 C functions use it, as calls. So an entry of the two-bit layout tells by its own type.
  entry.offset_before = layout.indirect_offset_before ||
                        (layout.types == OrcLayout::Types::call0_end_bit10 && entry.kind != OrcKind::call);
  return entry;
}

tl::expected<GuestVirt, Fault> orc_ip(VirtMemory& memory, const OrcTable& table, std::uint32_t index) {
  const GuestVirt at = table.ip + std::uint64_t{index} * 4;
  const auto value = memory.read_value<std::uint32_t>(at);
  if (!value) {
    return tl::unexpected(value.error());
  }
  return at + static_cast<std::uint64_t>(sign_extend(*value, 32));
}

tl::expected<std::optional<OrcHit>, Fault> lookup_orc(VirtMemory& memory, const OrcTable& table, GuestVirt address) {
  if (table.count == 0) {
    return std::nullopt;
  }
  std::uint32_t low = 0;
  std::uint32_t high = table.count - 1;
  const auto above = std::upper_bound(table.samples.begin(), table.samples.end(), address.value);
  const auto i = static_cast<std::size_t>(above - table.samples.begin());
  if (!table.samples.empty() && i == 0) {
    return std::nullopt;
  }
  low = i == 0 ? low : table.sample_index(i - 1);
  high = i == table.samples.size() ? high : table.sample_index(i);
  auto low_ip = i == 0 ? orc_ip(memory, table, low) : GuestVirt(table.samples[i - 1]);
  auto high_ip = above == table.samples.end() ? orc_ip(memory, table, high) : GuestVirt(*above);
  if (!low_ip || !high_ip) {
    return tl::unexpected(low_ip ? high_ip.error() : low_ip.error());
  }
  if (address < *low_ip) {
    return std::nullopt;
  }
  if (address >= *high_ip) {
    low = high;
    low_ip = high_ip;
  }
  // Invariant: ip(low) <= address < ip(high). Every round narrows the range, every other one halves it.
  for (unsigned round = 0; high - low > 1; ++round) {
    std::uint32_t middle = low + (high - low) / 2;
    if (round % 2 == 0 && *high_ip > *low_ip) {
      const double part = static_cast<double>(address - *low_ip) / static_cast<double>(*high_ip - *low_ip);
      const auto guess = low + static_cast<std::uint32_t>(part * static_cast<double>(high - low));
      middle = std::clamp(guess, low + 1, high - 1);
    }
    const auto ip = orc_ip(memory, table, middle);
    if (!ip) {
      return tl::unexpected(ip.error());
    }
    if (*ip <= address) {
      low = middle;
      low_ip = ip;
    } else {
      high = middle;
      high_ip = ip;
    }
  }
  OrcHit hit{*low_ip, {}};
  if (auto ok = memory.read(table.entries + std::uint64_t{low} * kOrcEntrySize, hit.bytes); !ok) {
    return tl::unexpected(ok.error());
  }
  return hit;
}

tl::expected<std::optional<OrcHit>, Fault> lookup_orc(VirtMemory& memory, const UnwindTables& tables,
                                                      GuestVirt address) {
  std::optional<OrcHit> best;
  std::optional<Fault> fault;
  for (const OrcTable& table : tables.orc) {
    if (address < table.text_begin || address >= table.text_end) {
      continue;
    }
    auto hit = lookup_orc(memory, table, address);
    if (!hit) {
      fault = hit.error();
    } else if (*hit && (!best || (*hit)->begin > best->begin)) {
      best = *hit;
    }
  }
  if (!best && fault) {
    return tl::unexpected(*fault);
  }
  return best;
}

}  // namespace xstack::x86
