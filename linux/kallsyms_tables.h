// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/address.h"
#include "guest/memory.h"

namespace xstack {

/// Where a kernel's kallsyms tables lie and what form they have (scripts/kallsyms.c and kernel/kallsyms.c, Linux 2.6.10
/// to 7.2). Everything here is found by structure; versions are told in comments only to say where a form comes from.
struct KallsymsTables {
  /// What an element of the address table means.
  enum class Addresses : std::uint8_t {
    words,            ///< kallsyms_addresses: absolute guest words (up to 4.5, or without BASE_RELATIVE; 32-bit 7.0+)
    base_relative,    ///< s32, relative_base + the value taken as unsigned (4.6 to 6.19)
    absolute_percpu,  ///< s32, not negative: absolute; negative: relative_base - 1 - value (x86-64 SMP, 4.6 to 6.14)
    self_relative,    ///< s32, added to the slot's own address (7.0+, 64-bit)
  };
  Addresses kind = Addresses::base_relative;
  GuestVirt addresses;              ///< of the address or offset table
  std::uint64_t relative_base = 0;  ///< for base_relative and absolute_percpu
  std::uint32_t count = 0;          ///< symbols
  GuestVirt names;
  GuestVirt names_end;  ///< after the last record
  GuestVirt markers;
  unsigned marker_size = 4;  ///< 4, or 8 for a 64-bit kernel before 4.20
  GuestVirt token_table;
  std::uint32_t token_bytes = 0;  ///< of the token table
  GuestVirt token_index;
  /// What is added to every address of the image that the tables hold: a kernel that is found in physical memory has
  /// its symbols' addresses made physical. Absolute (per-CPU) ones stay.
  std::uint64_t slide = 0;
  bool has_seqs = false;  ///< kallsyms_seqs_of_names exists (6.2+ and some stable kernels)
  unsigned word_size = 8;

  [[nodiscard]] std::uint32_t marker_count() const { return (count + 255) / 256; }
  [[nodiscard]] unsigned element_size() const { return kind == Addresses::words ? word_size : 4; }
  /// The address that element `index` with content `raw` means.
  [[nodiscard]] std::uint64_t resolve(std::uint64_t index, std::uint64_t raw) const;
};

/// More symbols than any kernel has; more is a lie.
inline constexpr std::uint32_t kMaxKallsyms = 4U << 20;

/// Offsets in `bytes` at which the ten digit tokens of a kallsyms token table stand ("0\0" "1\0" ... "9\0").
[[nodiscard]] std::vector<std::size_t> find_digit_tokens(std::span<const std::byte> bytes);
inline constexpr std::size_t kDigitTokensSize = 20;

/// The tables around the digit tokens at `digits`, or nothing when this is no token table or what must stand around it
/// does not. `image_virtual`: the addresses of `search` are the kernel's own, so that symbols must be near the tables.
[[nodiscard]] std::optional<KallsymsTables> locate_kallsyms(VirtMemory& search, GuestVirt digits, unsigned word_size,
                                                            bool image_virtual = true);

}  // namespace xstack
