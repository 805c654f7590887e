// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/session_dump.h"

#include <fmt/format.h>

#include <utility>

#include "tools/held_signals.h"
#include "vmcore/elf_core.h"
#include "vmcore/kernel_map.h"
#include "vmcore/pseudo_physical.h"
#include "vmcore/segments.h"

namespace xstack {
namespace {

/// The address where a kernel's half of the address space begins, for page walks; on 32-bit architectures some way
/// below its code, where ARM keeps modules.
GuestVirt kernel_half(GuestType type, const ArchOps& arch,
                      std::span<const std::shared_ptr<const Translation>> translations, PhysMemory& memory,
                      std::optional<GuestVirt> kernel_start) {
  if (arch.word_size == 4) {
    constexpr std::uint64_t kSplit = 0x10000000;  // every VMSPLIT is a multiple of it
    constexpr std::uint64_t kModules = 0x01000000;
    const std::uint64_t split = kernel_start.value_or(GuestVirt(0xc0000000)).value & ~(kSplit - 1);
    return GuestVirt(split > kModules ? split - kModules : 0);
  }
  if (type == GuestType::pv) {
    return GuestVirt(0xffff880000000000);  // below it is Xen's part: HYPERVISOR_VIRT_END, public/arch-x86/xen-x86_64.h
  }
  // The widest half that the tables know of: a page walk refuses addresses outside it.
  const unsigned widest = arch.id == ArchId::arm64 ? 52 : 56;
  for (unsigned bits = widest; bits > 30; --bits) {
    const GuestVirt first(~std::uint64_t{0} << bits);
    for (const auto& translation : translations) {
      const auto found = translation->walk(memory, first);
      if (found || found.error().kind != FaultKind::out_of_range) {
        return first;
      }
    }
  }
  return GuestVirt(~std::uint64_t{0} << 47);
}

KernelMap kernel_map(KernelSession& session, PhysMemory& memory) {
  // The kernel's own tables where they are known, else those of a vCPU, which have the kernel's half as well.
  std::vector<std::shared_ptr<const Translation>> translations;
  if (session.kernel() != nullptr) {
    translations = session.kernel()->kernel_translations();
  }
  for (const DecodedVcpu& vcpu : session.vcpus()) {
    if (vcpu.cpu && vcpu.cpu->mmu_on && translations.size() < 4) {
      translations.insert(translations.end(), vcpu.cpu->translations.begin(), vcpu.cpu->translations.end());
    }
  }
  if (translations.empty()) {
    return {};
  }
  const auto start = session.kernel() != nullptr ? session.kernel()->kernel_start() : std::nullopt;
  const GuestVirt first = kernel_half(session.guest().identity().type, session.arch(), translations, memory, start);
  const GuestVirt last(session.arch().word_size == 4 ? 0xffffffff : ~std::uint64_t{0});
  KernelMapLimits limits;
  if (session.guest().identity().type == GuestType::pv) {
    limits.runs = 1U << 22;  // machine frames are in no order: each page may be a run of its own
  }
  return map_kernel(memory, translations, first, last, limits);
}

/// Where a PV kernel's direct map begins: page_offset_base says so where the kernel has that variable
/// (CONFIG_RANDOMIZE_ MEMORY, 4.8 on); else __PAGE_OFFSET_BASE_L4 (4.20 on) or what it was before.
std::optional<GuestVirt> direct_map_of(KernelSession& session, PhysMemory& memory) {
  std::vector<std::uint64_t> candidates;
  if (const auto at = session.kernel()->code().address_of("page_offset_base")) {
    if (const auto value = session.memory().read_word(*at, 8)) {
      candidates.push_back(*value);
    }
  }
  candidates.insert(candidates.end(), {0xffff888000000000, 0xffff880000000000});
  for (const std::uint64_t candidate : candidates) {
    for (const auto& translation : session.translations(session.vcpus(), 0)) {
      if (candidate >> 47 == 0x1ffff && translation->walk(memory, GuestVirt(candidate))) {
        return GuestVirt(candidate);
      }
    }
  }
  return std::nullopt;
}

std::vector<FrameRange> frames_of(Guest& guest) {
  const auto ram = guest.ram();
  // A file knows what it has; of a domain Xen only says where memory may be.
  return guest.identity().source == "live" ? present_frames(guest.memory(), ram) : ram;
}

Result<OutputFile> open_output(const DumpRequest& request) {
  const bool zstd = request.compress.value_or(request.output.ends_with(".zst"));
  const auto level = zstd ? std::optional(kZstdForDumps) : std::nullopt;
  return request.output == "-" ? OutputFile::standard_output(level) : OutputFile::create(request.output, level);
}

/// Everything from the registers to the last page. The guest stands still meanwhile, or is asked to run on.
Result<void> write_all(Guest& guest, KernelSession& session, const DumpRequest& request, const HeldSignals& signals,
                       OutputFile& out, DumpReport& report) {
  auto contexts = guest.vcpus();
  if (!contexts) {
    return tl::unexpected(contexts.error());
  }
  const auto vcpus = session.decode(*contexts);
  std::vector<const CpuState*> cpus;
  for (const DecodedVcpu& vcpu : vcpus) {
    cpus.push_back(vcpu.cpu ? &*vcpu.cpu : nullptr);
    report.vcpus += vcpu.cpu ? 1 : 0;
    if (!vcpu.cpu) {
      report.warnings.push_back(
          fmt::format("vCPU {}: no registers: {}", vcpu.context.id, vcpu.why_not.value_or("unknown")));
    }
  }
  auto frames = frames_of(guest);
  if (frames.empty()) {
    return fail(Errc::not_found, "no memory of the guest can be read: there is nothing to dump");
  }
  KernelMap map = kernel_map(session, guest.memory());
  if (map.runs.empty()) {
    report.partial = true;
    report.warnings.emplace_back(
        "no page tables of the kernel: memory is in the dump by physical address alone, which debuggers cannot use");
  }
  std::vector<FrameRange> numbered = frames;  // as the file has them
  std::vector<FrameNumbers> numbers;
  if (guest.identity().type == GuestType::pv) {
    if (const auto direct_map = direct_map_of(session, guest.memory())) {
      PseudoPhysical pseudo = number_as_kernel(map, *direct_map, frames);
      frames = std::move(pseudo.machine);
      numbered = std::move(pseudo.present);
      numbers = std::move(pseudo.table);
      map = std::move(pseudo.map);
    } else {
      report.warnings.emplace_back("the kernel's direct map was not found: physical addresses in the dump are Xen's");
    }
  }
  const CorePlan plan = plan_segments(numbered, map);
  if (map.cut || plan.cut) {
    report.partial = true;
    report.warnings.emplace_back("the kernel maps more than a core can say: some virtual addresses are missing");
  }
  const auto& info = session.kernel() != nullptr ? session.kernel()->vmcoreinfo() : std::nullopt;
  if (!info) {
    report.warnings.emplace_back("no VMCOREINFO in the guest: crash and drgn need it, gdb does not");
  }
  const CoreContents contents{
      .arch = session.arch().id,
      .identity = guest.identity(),
      .vcpus = *contexts,
      .cpus = cpus,
      .vmcoreinfo = info ? std::optional<std::string_view>(info->text()) : std::nullopt,
      .facts = guest.facts(),
      .frame_numbers = numbers,
  };
  const auto head = core_head(contents, plan);
  if (!head) {
    return tl::unexpected(head.error());
  }
  if (auto ok = out.append(*head); !ok) {
    return ok;
  }
  const auto written = write_memory(guest.memory(), frames, out, [&](std::uint64_t done, std::uint64_t all) {
    return !signals.waiting() && (!request.progress || request.progress(done, all));
  });
  if (!written) {
    return tl::unexpected(written.error());
  }
  if (const auto lost = guest.lost()) {
    return tl::unexpected(*lost);
  }
  if (written->lost_pages != 0) {
    report.partial = true;
    report.warnings.push_back(
        fmt::format("{} pages went away while they were written: zeros in the dump", written->lost_pages));
  }
  report.memory_bytes = plan.bytes;
  report.zero_pages = written->zero_pages;
  report.segments = plan.segments.size();
  report.aliases_left_out = map.aliases_left_out;
  return {};
}

}  // namespace

Result<DumpReport> write_dump(Guest& guest, const DumpRequest& request) {
  auto session = KernelSession::open(guest, request.kernel);
  if (!session) {
    return tl::unexpected(session.error());
  }
  if (auto found = (*session)->look_round(); !found) {
    return tl::unexpected(found.error());
  }
  DumpReport report;
  report.warnings = guest.warnings();
  const HeldSignals signals;
  std::optional<OutputFile> out;
  if (auto opened = open_output(request)) {
    out.emplace(std::move(*opened));
  } else {
    return tl::unexpected(opened.error());
  }
  {
    auto pause = request.pause ? guest.pause() : Result<std::unique_ptr<PauseGuard>>(nullptr);
    if (!pause) {
      return tl::unexpected(pause.error());
    }
    if (auto ok = write_all(guest, **session, request, signals, *out, report); !ok) {
      out.reset();  // removed before the pause ends and a signal that waits ends the program
      return tl::unexpected(ok.error());
    }
    if (*pause) {
      report.pause_us = (*pause)->release();
    }
  }
  if (!request.pause && runs(guest)) {
    report.warnings.emplace_back(
        "the guest ran on while its memory was read: what it changed meanwhile does not fit together");
  }
  report.file_bytes = out->size();
  if (auto ok = out->commit(); !ok) {
    return tl::unexpected(ok.error());
  }
  return report;
}

}  // namespace xstack
