// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "linux/kallsyms_tables.h"

namespace xstack {

/// Finds the address table that belongs to `tables`, whose names, markers and tokens are known, and tells its form by
/// what the values do: fills `kind`, `addresses`, `relative_base` and `has_seqs`. It stands after the token index (6.4
/// on) or before the count at `num_syms` (before). False when neither place holds one. `image_virtual`: symbols must be
/// near the tables.
[[nodiscard]] bool locate_addresses(VirtMemory& search, GuestVirt num_syms, bool image_virtual, KallsymsTables& tables);

}  // namespace xstack
