// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "arch/unwind_tables.h"
#include "guest/memory.h"

namespace xstack::x86 {

/// Bytes of a `struct orc_entry` (arch/x86/include/asm/orc_types.h): s16 sp_offset, s16 bp_offset, u16 flags.
inline constexpr std::size_t kOrcEntrySize = 6;

/// What a value of the caller is computed from. The codes differ between kernels (OrcLayout::Registers).
enum class OrcBase : std::uint8_t {
  undefined,
  prev_sp,
  ax,
  dx,
  di,
  bp,
  sp,
  r10,
  r13,
  bp_indirect,
  sp_indirect,
};

enum class OrcKind : std::uint8_t {
  undefined,     ///< the table says that it does not know
  end,           ///< the outermost frame
  call,          ///< a return address lies just below the caller's stack pointer
  regs,          ///< a whole struct pt_regs lies at the computed address
  regs_partial,  ///< only the hardware's iret frame does
};

/// One entry, whatever kernel it is from.
struct OrcEntry {
  OrcBase sp_base = OrcBase::undefined;
  OrcBase bp_base = OrcBase::undefined;
  std::int16_t sp_offset = 0;
  std::int16_t bp_offset = 0;
  OrcKind kind = OrcKind::undefined;
  bool signal = false;  ///< the caller's pc is an interrupted instruction, not a return address
  /// For sp_indirect: the offset belongs to the address read from, not to the value read.
  bool offset_before = false;
};

/// Decodes `bytes`. Nothing when a code in it has no meaning in this layout.
[[nodiscard]] std::optional<OrcEntry> decode_orc(std::span<const std::byte, kOrcEntrySize> bytes,
                                                 const OrcLayout& layout);

/// The address that the ip table's entry `index` stands for: the entry's own address plus its signed value.
[[nodiscard]] tl::expected<GuestVirt, Fault> orc_ip(VirtMemory& memory, const OrcTable& table, std::uint32_t index);

/// Raw bytes of the entry that covers `address` and where its range begins.
struct OrcHit {
  GuestVirt begin;
  std::array<std::byte, kOrcEntrySize> bytes{};
};

/// Looks `address` up in one table. Interpolates, since addresses grow almost evenly, then bisects: a lookup in 400 000
/// entries reads a handful of pages. Nothing when the table does not reach down to `address`; a fault when it cannot be
/// read. Bounded whatever the table holds; an unsorted table gives some entry or none.
[[nodiscard]] tl::expected<std::optional<OrcHit>, Fault> lookup_orc(VirtMemory& memory, const OrcTable& table,
                                                                    GuestVirt address);

/// The same over every table that describes code at `address`; the entry that begins nearest below wins.
[[nodiscard]] tl::expected<std::optional<OrcHit>, Fault> lookup_orc(VirtMemory& memory, const UnwindTables& tables,
                                                                    GuestVirt address);

}  // namespace xstack::x86
