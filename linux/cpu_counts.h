// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "arch/code.h"
#include "guest/memory.h"
#include "linux/task_list.h"

namespace xstack {

/// How many CPUs the kernel has, by its own masks.
struct CpuCounts {
  std::optional<std::uint64_t> present;
  std::optional<std::uint64_t> online;  ///< those that panic() has stopped are not
};

/// Counts the bits below nr_cpu_ids in __cpu_present_mask and __cpu_online_mask (kernel/cpu.c, 4.5 on). Nothing where
/// kallsyms has functions alone, or where the numbers contradict each other.
[[nodiscard]] CpuCounts read_cpu_counts(CodeInfo& code, VirtMemory& memory, unsigned word_size);

/// How many CPUs were ever brought up, by the threads cpuhp/N that the kernel makes one of for each (kernel/cpu.c, 4.6
/// on). Nothing when there are none.
[[nodiscard]] std::optional<std::uint64_t> cpus_by_threads(std::span<const KernelTask> tasks);

}  // namespace xstack
