// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/x86_orc_layout.h"

#include <algorithm>
#include <array>
#include <vector>

#include "arch/x86/orc.h"
#include "base/endian.h"

namespace xstack {
namespace {

using Hash = std::array<std::uint8_t, 20>;

// SHA-1 over arch/x86/include/asm/orc_types.h as scripts/orc_hash.sh computes it; in .orc_header since Linux 6.4.
constexpr Hash kHashSp5 = {0xfe, 0x5d, 0x32, 0xbf, 0x58, 0x1b, 0xd6, 0x3b, 0x2c, 0xa9,
                           0xa5, 0xc6, 0x5b, 0xa5, 0xa6, 0x25, 0xea, 0xb3, 0xfe, 0x24};
constexpr Hash kHashSp3 = {0x13, 0x7c, 0x36, 0xad, 0x76, 0x27, 0xc4, 0xdd, 0x55, 0x93,
                           0x21, 0x76, 0xbb, 0x0e, 0xcd, 0xbd, 0x50, 0x41, 0xfc, 0x82};

std::optional<OrcLayout> by_header(VirtMemory& search, const OrcTable& table, CodeInfo& code) {
  // The header precedes the addresses: by its symbol, or directly.
  const GuestVirt at = code.address_of("__start_orc_header").value_or(table.ip - sizeof(Hash));
  Hash hash{};
  if (!search.read(at, std::as_writable_bytes(std::span(hash)))) {
    return std::nullopt;
  }
  OrcLayout layout;
  layout.types = OrcLayout::Types::call2_type3_signal11;
  if (hash == kHashSp5) {
    layout.registers = OrcLayout::Registers::sp5;
    return layout;
  }
  if (hash == kHashSp3) {
    layout.registers = OrcLayout::Registers::sp3;
    return layout;
  }
  return std::nullopt;
}

/// How often each value occurs in a sample of entries.
struct Census {
  std::size_t entries = 0;
  std::array<std::size_t, 16> sp_code{};
  std::array<std::size_t, 8> type{};  ///< of the three-bit field; the upper bit is another flag in older layouts
  std::size_t bit10_without_base = 0;
  std::size_t bit10_with_base = 0;
  std::size_t bit11 = 0;
};

Census take_census(VirtMemory& search, const OrcTable& table) {
  constexpr std::uint32_t kBlocks = 16;
  constexpr std::uint32_t kEntriesPerBlock = 512;
  Census census;
  std::vector<std::byte> bytes(kEntriesPerBlock * x86::kOrcEntrySize);
  for (std::uint32_t block = 0; block < kBlocks; ++block) {
    const auto first = static_cast<std::uint32_t>(std::uint64_t{table.count} * block / kBlocks);
    const std::uint32_t n = std::min(kEntriesPerBlock, table.count - first);
    const auto part = std::span(bytes).first(std::size_t{n} * x86::kOrcEntrySize);
    if (part.empty() || !search.read(table.entries + std::uint64_t{first} * x86::kOrcEntrySize, part)) {
      continue;
    }
    for (std::uint32_t i = 0; i < n; ++i) {
      const auto flags = load_le<std::uint16_t>(&part[std::size_t{i} * x86::kOrcEntrySize + 4]);
      ++census.entries;
      ++census.sp_code[flags & 0xf];
      ++census.type[(flags >> 8) & 7];
      if ((flags & (1U << 10)) != 0) {
        ++((flags & 0xf) == 0 ? census.bit10_without_base : census.bit10_with_base);
      }
      census.bit11 += (flags & (1U << 11)) != 0 ? 1 : 0;
    }
  }
  return census;
}

/// The flags of the entry at the very beginning of the system call entry, where the stack is still the user's: no base,
/// and since 4.18 an "end". Nothing when it cannot be found.
std::optional<std::uint16_t> flags_of_entry_code(VirtMemory& search, const OrcTable& table, CodeInfo& code) {
  const auto at = code.address_of("entry_SYSCALL_64");
  if (!at) {
    return std::nullopt;
  }
  const auto hit = x86::lookup_orc(search, table, *at);
  if (!hit || !*hit) {
    return std::nullopt;
  }
  const auto flags = load_le<std::uint16_t>(&(*hit)->bytes[4]);
  return (flags & 0xf) == 0 ? std::optional(flags) : std::nullopt;
}

void tell_old_layouts_apart(const Census& census, std::optional<std::uint16_t> entry_code, CalibratedOrc& out) {
  if (census.bit11 > 0 || (entry_code && (*entry_code & (1U << 11)) != 0)) {
    out.layout.types = OrcLayout::Types::call0_signal10_end11;
    return;
  }
  out.layout.types = OrcLayout::Types::call0_end_bit10;
  if (census.bit10_without_base > 0 || (entry_code && (*entry_code & (1U << 10)) != 0)) {
    return;
  }
  if (entry_code) {
    out.layout.no_end_flag = true;
    return;
  }
  out.guess = "no ORC entry shows which bit ends a stack";
}

}  // namespace

CalibratedOrc calibrate_orc(VirtMemory& search, const OrcTable& table, CodeInfo& code) {
  CalibratedOrc out;
  if (const auto known = by_header(search, table, code)) {
    out.layout = *known;
    return out;
  }
  const Census census = take_census(search, table);
  const std::size_t sp5 = census.sp_code[5];
  const std::size_t sp3 = census.sp_code[3];
  out.layout.registers = sp3 > sp5 ? OrcLayout::Registers::sp3 : OrcLayout::Registers::sp5;
  // CALL is 0 in the two-bit field, whose neighbour bit is rarely set, and 2 in the three-bit one.
  const std::size_t call0 = census.type[0] + census.type[4];
  const std::size_t call2 = census.type[2];
  if (call2 > call0) {
    out.layout.types = OrcLayout::Types::call2_type3_signal11;
  } else {
    tell_old_layouts_apart(census, flags_of_entry_code(search, table, code), out);
  }
  if (census.entries == 0 || std::max(sp3, sp5) * 2 < census.entries || std::max(call0, call2) * 2 < census.entries) {
    out.guess = "the layout of the ORC entries is not clear";
  }
  return out;
}

}  // namespace xstack
