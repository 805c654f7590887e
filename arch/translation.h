// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>

#include "base/address.h"
#include "guest/memory.h"

namespace xstack {

/// Where a page walk ended well.
struct Mapping {
  GuestPhys phys;          ///< of the very address that was asked for
  std::uint64_t left = 0;  ///< bytes from that address to the end of its page or block, at least 1
  std::uint64_t page_size = 0;
  int level = 0;  ///< level of the leaf entry, in the architecture's own numbering; 0 when the MMU is off
};

/// How to read page tables when no register says it. Each architecture uses its own members (ArchOps::table_forms).
struct TableForm {
  unsigned levels = 0;         ///< x86: 2, 3 (PAE), 4, 5; arm32: 2 (short descriptors), 3 (LPAE)
  unsigned granule_shift = 0;  ///< arm64: 12, 14, 16
  unsigned va_bits = 0;        ///< arm64: bits of a kernel address that are address

  friend bool operator==(const TableForm&, const TableForm&) = default;
};

/// One stage-1 translation regime with its root: how this vCPU (or its kernel) turns virtual into physical.
class Translation {
 public:
  Translation() = default;
  Translation(const Translation&) = delete;
  Translation& operator=(const Translation&) = delete;
  virtual ~Translation() = default;

  /// Walks the tables in `memory`. Bounded by construction: at most one read a level.
  [[nodiscard]] virtual tl::expected<Mapping, Fault> walk(PhysMemory& memory, GuestVirt va) const = 0;

  /// For people: "LPAE, T1SZ 2, TTBR1 0x40207000".
  [[nodiscard]] virtual std::string describe() const = 0;
};

}  // namespace xstack
