// SPDX-License-Identifier: LGPL-2.1-or-later
// The part of LinuxKernel that finds a kernel by its image in physical memory, where no page tables show it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "linux/boot_image.h"
#include "linux/linux_kernel.h"
#include "linux/physical_kernel.h"

namespace xstack {
namespace {

constexpr std::size_t kMaxAnchors = 4;  // of a kernel in physical memory

}  // namespace

/// Where memory begins, and where the vCPUs are, as far as that is memory.
std::vector<GuestVirt> LinuxKernel::physical_anchors() {
  std::vector<GuestVirt> anchors;
  const auto ram = guest_.ram();
  if (!ram.empty()) {
    anchors.emplace_back(ram.front().first.value);
  }
  for (const CpuState& cpu : cpus_) {
    const auto pc = cpu.regs.get(arch_.pc);
    std::byte any{};
    if (anchors.size() < kMaxAnchors && pc && guest_.memory().read_some(GuestPhys(*pc), std::span(&any, 1))) {
      anchors.emplace_back(*pc & ~(kXenPageSize - 1));
    }
  }
  return anchors;
}

/// Every vCPU runs at physical addresses, as a kernel does until it has tables of its own.
void LinuxKernel::find_kernel_in_physical(const KernelInputs& inputs) {
  const auto boot = find_boot_image(guest_.memory(), arch_.id, guest_.ram());
  const auto in_front = [&](const CpuState& cpu) {
    const auto pc = cpu.regs.get(arch_.pc);
    return boot && pc && in_decompressor(guest_.memory(), *boot, GuestPhys(*pc));
  };
  if (std::any_of(cpus_.begin(), cpus_.end(), in_front)) {
    return;  // there is no kernel yet
  }
  PageProbe probe(inputs.guest.memory(), inputs.cpus, translations_);
  auto found = find_physical_kernel(probe, search_, arch_, physical_anchors());
  if (!found) {
    return;
  }
  found_.kallsyms = found->kallsyms;
  found_.banner = std::move(found->banner);
  found_.physical_how = fmt::format("{} of {} calls in its code lead to where functions begin by its kallsyms",
                                    found->placed.agree, found->placed.calls);
  if (boot && boot->kind == BootImage::Kind::image) {
    found_.physical_begin = boot->begin;
  }
  if (boot && boot->code == 0) {
    found_.physical_how += fmt::format("; {} header at physical {:#x}", to_string(boot->kind), boot->begin.value);
  }
}

std::optional<Kernel::PhysicalPlace> LinuxKernel::physical_place() const {
  if (!found_.physical_begin) {
    return std::nullopt;
  }
  PhysicalPlace place{*found_.physical_begin, std::nullopt, found_.physical_how};
  const bool relocated = found_.kallsyms && (found_.kallsyms->kind == KallsymsTables::Addresses::words ||
                                             found_.kallsyms->relative_base != 0);
  if (relocated && found_.kallsyms->kind != KallsymsTables::Addresses::self_relative) {
    const std::uint64_t mask = found_.kallsyms->word_size == 4 ? 0xffffffffU : ~std::uint64_t{0};
    place.link = GuestVirt((place.begin.value - found_.kallsyms->slide) & mask);
  }
  return place;
}

/// A vCPU that has not its MMU on yet, while others have the kernel mapped.
void LinuxKernel::find_physical_offset() {
  const bool any = std::any_of(cpus_.begin(), cpus_.end(), [](const CpuState& cpu) { return !cpu.mmu_on; });
  if (!any || physical_ || found_.text.empty()) {
    return;
  }
  const GuestVirt begin = found_.text.front().begin;
  for (const CpuState& cpu : cpus_) {
    for (const auto& translation : cpu.translations) {
      if (const auto mapping = translation->walk(guest_.memory(), begin); cpu.mmu_on && mapping) {
        found_.physical_offset = mapping->phys.value - begin.value;
        return;
      }
    }
  }
}

/// How far a file's addresses are from where its code lies in physical memory, when they are not equal.
std::optional<std::uint64_t> LinuxKernel::place_file(const SymbolTable& table) {
  std::vector<std::uint64_t> functions;
  table.for_each([&](std::string_view, std::uint64_t address, std::uint64_t) { functions.push_back(address); });
  const auto anchors = physical_anchors();
  const auto placed = place_by_calls(search_, arch_.id, code_pages_above(anchors), functions);
  if (placed) {
    found_.physical_how = fmt::format("{} of {} calls in its code lead to where functions begin by the symbol file",
                                      placed->agree, placed->calls);
    const auto text = table.address_of("_text");
    if (text) {
      found_.physical_begin = GuestPhys(*text + placed->offset);
    }
    return placed->offset;
  }
  // A header says where an image begins, and a file what is linked to be there.
  const auto boot = find_boot_image(guest_.memory(), arch_.id, guest_.ram());
  for (const std::string_view first : {"_text", "_start", "stext"}) {
    if (const auto address = table.address_of(first); boot && boot->code == 0 && address) {
      found_.physical_begin = boot->begin;
      found_.physical_how = fmt::format("{} header at physical {:#x}, where the symbol file has {}",
                                        to_string(boot->kind), boot->begin.value, first);
      return boot->begin.value - *address;
    }
  }
  return std::nullopt;
}

}  // namespace xstack
