// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/memory.h"

#include <fmt/format.h>

namespace xstack {

std::string describe(const Fault& fault) {
  const std::string table =
      fault.level == -2 ? std::string() : fmt::format(" (level {} entry {:#x})", fault.level, fault.entry);
  switch (fault.kind) {
    case FaultKind::unmapped:
      return "not mapped by the guest" + table;
    case FaultKind::absent:
      return "frame not available" + table;
    case FaultKind::bad_table:
      return "malformed page table" + table;
    case FaultKind::out_of_range:
      return "outside the address space" + table;
    case FaultKind::io:
      return "could not be read" + table;
  }
  return "unreadable";
}

}  // namespace xstack
