// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/cpu_counts.h"

#include <bit>
#include <charconv>
#include <set>
#include <string_view>

namespace xstack {
namespace {

constexpr std::uint32_t kMaxCpus = 8192;  // CONFIG_NR_CPUS of MAXSMP

std::optional<std::uint64_t> count_bits(VirtMemory& memory, GuestVirt mask, std::uint32_t bits, unsigned word_size) {
  const std::uint32_t word_bits = word_size * 8;
  std::uint64_t count = 0;
  for (std::uint32_t first = 0; first < bits; first += word_bits) {
    const auto word = memory.read_word(mask + first / 8, word_size);
    if (!word) {
      return std::nullopt;
    }
    const std::uint32_t left = bits - first;
    const std::uint64_t used = left >= 64 ? *word : *word & ((std::uint64_t{1} << left) - 1);
    count += static_cast<std::uint64_t>(std::popcount(used));
  }
  return count;
}

}  // namespace

CpuCounts read_cpu_counts(CodeInfo& code, VirtMemory& memory, unsigned word_size) {
  const auto variable = code.address_of("nr_cpu_ids");
  const auto bits = variable ? memory.read_value<std::uint32_t>(*variable) : tl::unexpected(Fault{});
  if (!bits || *bits == 0 || *bits > kMaxCpus) {
    return {};
  }
  const auto count = [&](std::string_view mask) -> std::optional<std::uint64_t> {
    const auto at = code.address_of(mask);
    return at ? count_bits(memory, *at, *bits, word_size) : std::nullopt;
  };
  const CpuCounts counts{count("__cpu_present_mask"), count("__cpu_online_mask")};
  const bool sane = counts.present.value_or(1) > 0 && counts.online.value_or(1) > 0 &&
                    (!counts.present || !counts.online || *counts.online <= *counts.present);
  return sane ? counts : CpuCounts{};
}

std::optional<std::uint64_t> cpus_by_threads(std::span<const KernelTask> tasks) {
  constexpr std::string_view kName = "cpuhp/";
  std::set<std::uint32_t> cpus;
  for (const KernelTask& task : tasks) {
    if (!task.comm.starts_with(kName) || !task.kernel_thread.value_or(true)) {
      continue;
    }
    std::uint32_t cpu = 0;
    const char* end = task.comm.data() + task.comm.size();
    const auto [stop, error] = std::from_chars(task.comm.data() + kName.size(), end, cpu);
    if (error == std::errc() && stop == end && cpu < kMaxCpus) {
      cpus.insert(cpu);
    }
  }
  return cpus.empty() ? std::nullopt : std::optional<std::uint64_t>(cpus.size());
}

}  // namespace xstack
