// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/address.h"
#include "guest/memory.h"
#include "linux/mapped_scan.h"

namespace xstack {

/// Does a page look like a piece of the table of symbol addresses that kallsyms has (any form of
/// KallsymsTables::Addresses)? Such a table is sorted, and its neighbours lie close together: hardly anything else in a
/// kernel's image is like that over a whole page. A hint, not a proof: sorted tables of other kinds look the same.
[[nodiscard]] bool looks_like_addresses(std::span<const std::byte> page, unsigned word_size);

/// A run of sampled pages that look like one table. The table begins up to kSampleStride before `first` and ends up to
/// kSampleStride after `last`.
struct AddressTableHint {
  GuestVirt first;
  GuestVirt last;
};

/// One page in this many bytes is looked at: kernels with 20,000 symbols or more have a table larger than that.
inline constexpr std::uint64_t kSampleStride = 64U << 10;

/// The first such run in what is mapped in `bounds`, by one page in kSampleStride, read in batches; nothing when there
/// is none. `bounds.mapped_bytes` counts what is stepped over as well.
[[nodiscard]] std::optional<AddressTableHint> find_address_table(PageProbe& probe, VirtMemory& search,
                                                                 const ScanBounds& bounds, unsigned word_size);

}  // namespace xstack
