// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kernel_root.h"

#include <string_view>
#include <vector>

namespace xstack {
namespace {

constexpr std::uint64_t kMaxDistance = 8;                 // pages from tramp_pg_dir; 2 in the kernels so far
constexpr std::uint64_t kLinkedX86 = 0xffffffff80000000;  // __START_KERNEL_map

std::optional<std::uint64_t> register_named(const CpuState& cpu, std::string_view name) {
  for (std::size_t i = 0; i < cpu.arch->registers.size(); ++i) {
    if (name == cpu.arch->registers[i].name) {
      return cpu.regs.get(static_cast<RegisterIndex>(i));
    }
  }
  return std::nullopt;
}

/// x86: the tables of user mode are the page after the kernel's own (PTI_USER_PGTABLE_BIT, arch/x86/include/asm/
/// pgtable.h). The kernel's map user memory as well, to the same place.
std::optional<GuestPhys> find_root_before(PhysMemory& memory, const ArchOps& arch, std::span<const CpuState> cpus) {
  for (const CpuState& cpu : cpus) {
    const auto cr3 = register_named(cpu, "cr3");
    const auto pc = cpu.regs.get(cpu.arch->pc);
    if (!cpu.mmu_on || !cr3 || !pc || (*cr3 & kXenPageSize) == 0) {
      continue;
    }
    const std::uint64_t own = *cr3 & 0x000ffffffffff000;
    const GuestPhys root(own - kXenPageSize);
    const auto user = arch.translation_with_root(cpu, GuestPhys(own));
    const auto kernel = arch.translation_with_root(cpu, root);
    const auto by_user = user ? user->walk(memory, GuestVirt(*pc)) : tl::unexpected(Fault{});
    const auto by_kernel = kernel ? kernel->walk(memory, GuestVirt(*pc)) : tl::unexpected(Fault{});
    if (by_user && by_kernel && by_user->phys == by_kernel->phys) {
      return root;
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::uint64_t> image_distances(Guest& guest, ArchId arch, const Vmcoreinfo& info) {
  std::vector<std::uint64_t> distances;
  switch (arch) {
    case ArchId::arm64:
      if (const auto offset = info.number("kimage_voffset")) {
        distances.push_back(*offset);
      }
      break;
    case ArchId::x86_64:
      if (const auto base = info.number("phys_base")) {
        distances.push_back(kLinkedX86 - *base);
      }
      break;
    case ArchId::arm32:
    case ArchId::x86_32: {
      // RAM of an x86 machine begins at 0 whatever its first frames are; that of an ARM machine where it begins.
      const auto ram = guest.ram();
      const std::uint64_t base = arch == ArchId::x86_32 || ram.empty() ? 0 : ram.front().first.value;
      for (const std::uint64_t page_offset : {0xc0000000U, 0xb0000000U, 0x80000000U, 0x78000000U, 0x40000000U}) {
        distances.push_back(page_offset - base);
      }
      break;
    }
  }
  return distances;
}

std::optional<GuestPhys> find_root_beside(PhysMemory& memory, const ArchOps& arch, std::span<const CpuState> cpus) {
  if (arch.translation_with_root != nullptr && arch.id == ArchId::x86_64) {
    return find_root_before(memory, arch, cpus);
  }
  if (arch.id != ArchId::arm64 || arch.translation_with_root == nullptr) {
    return std::nullopt;
  }
  for (const CpuState& cpu : cpus) {
    const auto ttbr1 = register_named(cpu, "ttbr1");
    const auto sp = register_named(cpu, "sp_el1");
    if (!cpu.mmu_on || !ttbr1 || !sp || (*sp >> 55 & 1) == 0) {
      continue;
    }
    const GuestVirt stack(*sp - cpu.arch->word_size);  // an empty stack's pointer is just past it
    const std::uint64_t here = *ttbr1 & 0x0000fffffffff000;
    for (std::uint64_t page = 1; page <= kMaxDistance; ++page) {
      const GuestPhys root(here + page * kXenPageSize);
      const auto translation = arch.translation_with_root(cpu, root);
      const auto mapping =
          translation ? translation->walk(memory, stack) : tl::unexpected(Fault{FaultKind::unmapped, stack.value});
      if (mapping && memory.read_value<std::uint64_t>(mapping->phys)) {
        return root;
      }
    }
  }
  return std::nullopt;
}

std::optional<GuestPhys> find_root_by_vmcoreinfo(Guest& guest, const ArchOps& arch, std::span<const CpuState> cpus,
                                                 const Vmcoreinfo& info) {
  const auto directory = info.symbol("swapper_pg_dir");
  const auto text = info.symbol("_stext");
  if (!directory || !text || cpus.empty() || arch.translation_with_root == nullptr) {
    return std::nullopt;
  }
  for (const std::uint64_t distance : image_distances(guest, arch.id, info)) {
    const std::uint64_t root = directory->value - distance;
    if (root % 32 != 0) {  // the smallest root is that of 32-bit PAE
      continue;
    }
    const auto translation = arch.translation_with_root(cpus.front(), GuestPhys(root));
    if (!translation) {
      continue;
    }
    if (const auto at = translation->walk(guest.memory(), *text); at && at->phys.value == text->value - distance) {
      return GuestPhys(root);
    }
  }
  return std::nullopt;
}

}  // namespace xstack
