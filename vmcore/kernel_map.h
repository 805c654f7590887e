// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "arch/translation.h"
#include "base/address.h"
#include "guest/memory.h"

namespace xstack {

/// A stretch of virtual addresses whose physical ones are as consecutive as they are.
struct MappedRun {
  GuestVirt at;
  GuestPhys phys;
  std::uint64_t bytes = 0;
};

/// Which physical memory a kernel sees where.
struct KernelMap {
  std::vector<MappedRun> runs;         ///< ascending by `at`, disjoint
  std::uint64_t aliases_left_out = 0;  ///< pages
  bool cut = false;                    ///< tables that go on for longer than any kernel's: the rest was not looked at
};

/// How far map_kernel() goes. Tables are the guest's: they may name each other in circles, and then each of 2^36 pages
/// is mapped.
struct KernelMapLimits {
  std::uint64_t walks = 1U << 24;  ///< 64 GiB in pages of 4 KiB
  std::size_t runs = 1U << 15;
};

/// A page that is seen again and again (espfix stacks on x86-64, the empty page of a PV guest's frame table, KASAN's
/// shadow) is given at so many of its addresses.
inline constexpr unsigned kMaxAliases = 16;

/// Goes through all that is mapped from `first` to the end of the address space, `last` included, by page walks: a hole
/// costs one walk for each table entry that is empty. Where a translation has nothing, the next one is asked.
[[nodiscard]] KernelMap map_kernel(PhysMemory& memory, std::span<const std::shared_ptr<const Translation>> translations,
                                   GuestVirt first, GuestVirt last, const KernelMapLimits& limits = {});

}  // namespace xstack
