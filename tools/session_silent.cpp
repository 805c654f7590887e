// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/session_silent.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "arch/translated_memory.h"
#include "linux/boot_image.h"
#include "linux/physical_kernel.h"
#include "tools/doing.h"

namespace xstack {
namespace {

/// The image that was booted. It is looked for in all of memory, and its header read once more through `pages`, so that
/// a capture has it.
std::optional<BootImage> boot_image_of(KernelSession& session, PhysMemory& pages) {
  const ArchId arch = session.arch().id;
  const auto image = find_boot_image(session.guest().memory(), arch, session.guest().ram());
  return image ? find_boot_image(pages, arch, std::array{FrameRange{image->header, 1}}) : std::nullopt;
}

/// What runs at physical addresses where no kernel was found may be the code in front of a compressed one.
void look_for_decompressor(Report& report, KernelSession& session, PhysMemory& pages) {
  if (!report.guest.symbols.empty()) {
    return;
  }
  Guest& guest = session.guest();
  const auto physical = [&](const VcpuReport& vcpu) { return vcpu.cpu && runs_at_physical(*vcpu.cpu, guest.memory()); };
  if (std::none_of(report.vcpus.begin(), report.vcpus.end(), physical)) {
    return;
  }
  const auto image = boot_image_of(session, pages);
  if (!image || image->code == 0) {
    return;
  }
  report.guest.image =
      ImageReport{to_string(image->kind), image->begin, std::nullopt,
                  fmt::format("its header; the compressed kernel begins {:#x} bytes behind", image->code)};
  for (VcpuReport& vcpu : report.vcpus) {
    const auto pc = physical(vcpu) ? vcpu.cpu->regs.get(session.arch().pc) : std::nullopt;
    vcpu.decompressor = pc ? in_decompressor(pages, *image, GuestPhys(*pc)) : std::nullopt;
  }
}

/// Looks at the code at the pc of those whose frames do not tell what they do. Code stays as it is, so that this need
/// not be done in the pause. A report without traces asks only where nothing else can be known.
void look_at_standstills(Report& report, std::span<const DecodedVcpu> vcpus, KernelSession& session, PhysMemory& pages,
                         bool traces) {
  const bool no_names = report.guest.symbols.empty();
  for (std::size_t i = 0; i < vcpus.size(); ++i) {
    VcpuReport& vcpu = report.vcpus[i];
    if (vcpu.cpu && never_ran(vcpu)) {  // a dump has zeros for it, which are no trace
      vcpu.frames.clear();
      vcpu.stack.reset();
      vcpu.end = traces ? std::optional(TraceEnd{EndReason::no_registers, "it never ran", {}}) : std::nullopt;
      continue;
    }
    if (!vcpu.cpu || told_by_frames(vcpu)) {
      continue;
    }
    TranslatedMemory memory(pages, session.translations(vcpus, i));
    const GuestIdentity& identity = session.guest().identity();
    vcpu.not_started = not_started(identity, *vcpu.cpu, memory);
    if (vcpu.not_started || traces || no_names) {
      vcpu.standstill = standstill_of(identity, *vcpu.cpu, memory);
    }
    // Some code leaves all registers alone: the entry is where the image begins.
    const auto pc = vcpu.cpu->regs.get(session.arch().pc);
    if (vcpu.not_started) {
      const auto image = boot_image_of(session, pages);
      vcpu.not_started = !image || pc == image->begin.value ? std::move(vcpu.not_started) : std::nullopt;
    }
    if (vcpu.standstill) {
      vcpu.not_started.reset();
    }
  }
}

}  // namespace

void look_at_silent(Report& report, std::span<const DecodedVcpu> vcpus, KernelSession& session, PhysMemory& pages,
                    SilentRequest request) {
  look_at_standstills(report, vcpus, session, pages, request.traces);
  if (request.images) {
    look_for_decompressor(report, session, pages);
  }
}

}  // namespace xstack
