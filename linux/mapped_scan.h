// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "arch/arch.h"
#include "arch/translation.h"
#include "guest/memory.h"

namespace xstack {

/// Tells what is mapped where by page walks alone: only page tables are read, never the memory itself.
class PageProbe {
 public:
  /// Every translation of `cpus`, without repetitions, then `extra`. `memory` must outlive this.
  PageProbe(PhysMemory& memory, std::span<const CpuState> cpus,
            std::span<const std::shared_ptr<const Translation>> extra = {});

  /// Where `va` lies, by the first translation that has it.
  [[nodiscard]] std::optional<Mapping> at(GuestVirt va);

 private:
  PhysMemory& memory_;
  std::vector<std::shared_ptr<const Translation>> translations_;  ///< the one that answered last is in front
};

/// How much a scan may do.
struct ScanBounds {
  GuestVirt begin;
  GuestVirt end;
  std::uint64_t mapped_bytes = 0;  ///< stops after so much memory
  std::uint64_t hole_bytes = 0;    ///< stops at a hole of this size
};

/// Reads what is mapped in [begin, end), upward, in pieces of up to 1 MiB, each asked for in one batch, and shows each
/// piece to `visit` until that says false. Pieces of a gapless run overlap by `overlap` bytes, so that what crosses
/// from one into the next is seen whole. Mapped pages that cannot be read show as zeros, and a piece of
/// nothing but these is a hole. Returns the address after the last byte seen.
GuestVirt scan_mapped(PageProbe& probe, VirtMemory& search, const ScanBounds& bounds, std::size_t overlap,
                      const std::function<bool(GuestVirt, std::span<const std::byte>)>& visit);

/// Fills `out` from `at` page by page; pages that cannot be read become zeros. The whole range is asked for in one
/// batch first. Returns the bytes that were read in truth.
std::size_t read_tolerant(VirtMemory& search, GuestVirt at, std::span<std::byte> out);

}  // namespace xstack
