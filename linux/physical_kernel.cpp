// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/physical_kernel.h"

#include <fmt/format.h>

#include <algorithm>

#include "linux/kernel_image.h"

namespace xstack {
namespace {

constexpr std::uint64_t kReach = 64U << 20;
constexpr std::uint64_t kSampleEvery = 256U << 10;
constexpr std::size_t kSamples = 128;
constexpr std::size_t kNearPages = 16;

/// Every address that the tables hold, up to a bound, through `search`.
std::vector<std::uint64_t> addresses_of(VirtMemory& search, const KallsymsTables& tables) {
  const unsigned size = tables.element_size();
  std::vector<std::byte> bytes(std::size_t{size} * tables.count);
  read_tolerant(search, tables.addresses, bytes);
  std::vector<std::uint64_t> all;
  all.reserve(tables.count);
  for (std::uint32_t i = 0; i < tables.count; ++i) {
    const std::byte* at = bytes.data() + std::size_t{size} * i;
    all.push_back(tables.resolve(i, size == 4 ? load_le<std::uint32_t>(at) : load_le<std::uint64_t>(at)));
  }
  return all;
}

}  // namespace

bool runs_at_physical(const CpuState& cpu, PhysMemory& memory) {
  if (!cpu.mmu_on) {
    return true;
  }
  const auto pc = cpu.regs.get(cpu.arch->pc);
  if (cpu.user || !pc) {
    return false;
  }
  for (const auto& translation : cpu.translations) {
    if (const auto mapping = translation->walk(memory, GuestVirt(*pc))) {
      return mapping->phys.value == *pc;
    }
  }
  return false;
}

std::optional<PhysicalKernel> find_physical_kernel(PageProbe& probe, VirtMemory& search, const ArchOps& arch,
                                                   std::span<const GuestVirt> anchors) {
  std::vector<AnchorCluster> clusters;
  for (const GuestVirt anchor : anchors) {
    clusters.push_back({anchor, anchor, 1});
  }
  FoundImage image = search_image(probe, search, clusters, arch.word_size, {.image_virtual = false, .bytes = kReach});
  if (!image.kallsyms && arch.id == ArchId::x86_32) {
    // A 64-bit kernel is entered in 32-bit mode.
    image = search_image(probe, search, clusters, 8, {.image_virtual = false, .bytes = kReach});
  }
  if (!image.kallsyms) {
    return std::nullopt;
  }
  PhysicalKernel kernel{*image.kallsyms, std::move(image.banner), {}};
  // Code stands before the read-only data that has the tables.
  const GuestVirt tables = std::min(kernel.kallsyms.addresses, kernel.kallsyms.names);
  std::vector<GuestVirt> pages;
  for (std::uint64_t i = 1; i <= kSamples && i * kSampleEvery < tables.value; ++i) {
    pages.emplace_back((tables.value - i * kSampleEvery) & ~(kXenPageSize - 1));
  }
  search.prefetch(pages);
  const auto placed = place_by_calls(search, arch.id, pages, addresses_of(search, kernel.kallsyms));
  if (!placed) {
    return std::nullopt;
  }
  kernel.placed = *placed;
  kernel.kallsyms.slide = placed->offset;
  return kernel;
}

std::optional<std::string> why_misplaced(ArchId arch, GuestPhys begin, std::optional<GuestVirt> link) {
  constexpr std::uint64_t kUnit = 2U << 20;
  if (arch != ArchId::arm32 || !link || (begin.value - link->value) % kUnit == 0) {
    return std::nullopt;
  }
  return fmt::format(
      "{:#x} bytes beyond a distance of whole 2 MiB from where it was linked to be; a kernel with "
      "CONFIG_ARM_PATCH_PHYS_VIRT stops in __fixup_pv_table for that, or in __error until 5.10",
      (begin.value - link->value) % kUnit);
}

std::vector<GuestVirt> code_pages_above(std::span<const GuestVirt> anchors) {
  std::vector<GuestVirt> pages;
  for (const GuestVirt anchor : anchors) {
    const std::uint64_t page = anchor.value & ~(kXenPageSize - 1);
    for (std::uint64_t i = 0; i < kNearPages; ++i) {
      pages.emplace_back(page + i * kXenPageSize);
    }
    for (std::uint64_t i = 1; i <= kSamples / 2; ++i) {
      pages.emplace_back(page + i * kSampleEvery);
    }
  }
  return pages;
}

}  // namespace xstack
