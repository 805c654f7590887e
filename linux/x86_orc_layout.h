// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "arch/code.h"
#include "arch/unwind_tables.h"
#include "guest/memory.h"

namespace xstack {

/// How a kernel's ORC entries are laid out, and what of that is a guess (empty: nothing is).
struct CalibratedOrc {
  OrcLayout layout;
  std::string guess;
};

/// Reads `.orc_header` (a hash of the kernel's own orc_types.h, Linux 6.4 on) where it is known, else the entries
/// themselves: what nearly every entry has as its base is the stack pointer, what nearly every entry is, is a call;
/// entry code, which is looked up by name, shows which bit says "end". Reads some tens of KiB of the table.
[[nodiscard]] CalibratedOrc calibrate_orc(VirtMemory& search, const OrcTable& table, CodeInfo& code);

}  // namespace xstack
