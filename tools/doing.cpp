// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/doing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace xstack {
namespace {

constexpr std::string_view kPanicPrefix = "Kernel panic - not syncing: ";

/// The idle loop (kernel/sched/idle.c; cpu_idle_loop until 4.15, cpu_idle before 3.10).
constexpr std::array<std::string_view, 3> kIdle = {"do_idle", "cpu_idle_loop", "cpu_idle"};

/// Where a CPU ends that another one stops: the functions of arch/arm, arch/arm64 and arch/x86 that do not return.
constexpr std::array<std::string_view, 10> kStopped = {
    "ipi_cpu_stop",          "local_cpu_stop",     "stop_this_cpu",      "panic_smp_self_stop",
    "nmi_panic_self_stop",   "ipi_cpu_crash_stop", "crash_nmi_callback", "machine_crash_nonpanic_core",
    "smp_stop_nmi_callback", "stop_self"};

/// Where a boot loader or Xen enters a kernel (head.S of arch/arm, arch/arm64 and arch/x86, and arch/x86/platform/pvh).
constexpr std::array<std::string_view, 8> kEntries = {"_text",      "stext",  "primary_entry", "startup_32",
                                                      "startup_64", "_start", "pvh_start_xen", "startup_xen"};

/// The handler of calls from other CPUs, into which the loop of a stopped CPU is inlined.
constexpr std::array<std::string_view, 3> kIpi = {"do_handle_IPI", "handle_IPI", "ipi_handler"};

std::string_view bare(const NamedFrame& frame) {
  return frame.symbol && !frame.module ? std::string_view(*frame.symbol).substr(0, frame.symbol->find('.'))
                                       : std::string_view();
}

/// The first frame of one of these functions, guesses aside.
template <std::size_t N>
std::vector<NamedFrame>::const_iterator first_of(const VcpuReport& vcpu, const std::array<std::string_view, N>& names) {
  return std::find_if(vcpu.frames.begin(), vcpu.frames.end(), [&](const NamedFrame& frame) {
    return frame.found_by != FoundBy::scan && std::ranges::find(names, bare(frame)) != names.end();
  });
}

bool in_panic(const VcpuReport& vcpu) {
  static constexpr std::array<std::string_view, 2> kPanic = {"panic", "vpanic"};
  return first_of(vcpu, kPanic) != vcpu.frames.end();
}

/// In the idle loop, and in nothing that an exception interrupted it for. Another stack is an interrupt's.
bool in_idle(const VcpuReport& vcpu) {
  const auto idle = first_of(vcpu, kIdle);
  return idle != vcpu.frames.end() && std::none_of(vcpu.frames.begin(), idle, [](const NamedFrame& frame) {
           return frame.found_by == FoundBy::exception || frame.stack.has_value();
         });
}

/// The function that a vCPU was stopped in, if it was.
std::optional<std::string> stopped_in(const VcpuReport& vcpu) {
  const auto frame = first_of(vcpu, kStopped);
  if (frame != vcpu.frames.end()) {
    return std::string(bare(*frame));
  }
  // The loop has no function of its own: WFE stands nowhere else in a handler of calls, and waits with all masked.
  const bool waits = vcpu.standstill && vcpu.standstill->masked == true &&
                     vcpu.standstill->kind != Standstill::Kind::retakes_exception;
  if (waits && !vcpu.frames.empty() && std::ranges::find(kIpi, bare(vcpu.frames.front())) != kIpi.end()) {
    return std::string(bare(vcpu.frames.front()));
  }
  return std::nullopt;
}

std::string masked_text(const Standstill& standstill) {
  if (!standstill.masked) {
    return "";
  }
  return *standstill.masked ? " with interrupts masked" : " with interrupts on";
}

std::string standstill_text(const Standstill& standstill, ArchId arch) {
  switch (standstill.kind) {
    case Standstill::Kind::waits_for_interrupt:
      return (arch == ArchId::arm32 || arch == ArchId::arm64 ? "waiting in WFI" : "halted in HLT") +
             masked_text(standstill);
    case Standstill::Kind::waits_for_event:
      return "waiting in WFE" + masked_text(standstill);
    case Standstill::Kind::branches_to_itself:
      return "spinning at one instruction, a branch to itself," + masked_text(standstill);
    case Standstill::Kind::empty_loop:
      return "spinning in a loop that does nothing," + masked_text(standstill);
    case Standstill::Kind::retakes_exception:
      return "in an exception vector, taking the same exception again";
  }
  return "";
}

/// "in FUNCTION+0x4", for a reader who sees one line.
std::optional<std::string> place_of(const VcpuReport& vcpu) {
  if (vcpu.frames.empty() || !vcpu.frames.front().symbol || vcpu.frames.front().found_by != FoundBy::registers) {
    return std::nullopt;
  }
  const NamedFrame& frame = vcpu.frames.front();
  return fmt::format("in {}+{:#x}", *frame.symbol, frame.offset);
}

/// A dump has a place for every vCPU: zeros for one that Xen had nothing of.
bool all_zero(const VcpuReport& vcpu) {
  if (vcpu.presence != VcpuPresence::offline || !vcpu.cpu) {
    return false;
  }
  for (std::size_t i = 0; i < vcpu.cpu->arch->registers.size(); ++i) {
    if (vcpu.cpu->regs.get(static_cast<RegisterIndex>(i)).value_or(0) != 0) {
      return false;
    }
  }
  return true;
}

std::optional<Doing> absent(const VcpuReport& vcpu) {
  if (!never_ran(vcpu)) {
    return std::nullopt;
  }
  const bool zero = vcpu.presence != VcpuPresence::never_up;
  return Doing{vcpu.id == 0 ? "never started" : "secondary CPU never started", std::nullopt,
               zero ? "it is offline and its registers are all zero: nothing brought it up"
                    : "Xen has no registers for it: nothing brought it up"};
}

Doing panicking(const VcpuReport& vcpu, const Report& report) {
  const auto& state = report.guest.identity.state;
  const bool over = state && (state->run == RunState::crashed || state->run == RunState::shutdown);
  const char* what = !state ? "in panic()" : over ? "stopped in panic()" : "spinning in panic()";
  Doing doing{what, std::nullopt, "panic is in its trace"};
  const auto& crash = report.guest.crash;
  if (crash && crash->kind == "panic" && crash->vcpu == vcpu.id) {
    const std::string_view message = crash->message;
    doing.detail = message.starts_with(kPanicPrefix) ? message.substr(kPanicPrefix.size()) : message;
    doing.how += "; the message is the kernel's log's";
  }
  return doing;
}

Doing stopped(const std::string& function, const Report& report) {
  const bool panic = std::ranges::any_of(report.vcpus, in_panic);
  return Doing{panic ? "stopped by panic() on another CPU" : "stopped by another CPU", std::nullopt,
               fmt::format("{} is in its trace{}", function, panic ? ", and panic in another's" : "")};
}

/// What only the image and the registers tell, for a CPU that runs at physical addresses.
std::optional<Doing> physical(const VcpuReport& vcpu, const Report& report) {
  if (vcpu.decompressor) {
    return Doing{"in the decompressor", std::nullopt, *vcpu.decompressor};
  }
  const auto& image = report.guest.image;
  if (!image || image->kind != "kernel" || vcpu.cpu->mmu_on || !place_of(vcpu)) {
    return std::nullopt;
  }
  const NamedFrame& frame = vcpu.frames.front();
  const bool entry =
      frame.pc.value - frame.offset == image->begin.value || std::ranges::find(kEntries, bare(frame)) != kEntries.end();
  const bool paging = report.guest.arch == ArchId::x86_64 || report.guest.arch == ArchId::x86_32;
  const std::string off = paging ? "paging off" : "MMU off";
  return Doing{entry ? off + " at the kernel entry" : "in the kernel with its " + off, place_of(vcpu), image->how};
}

std::optional<Doing> doing_of(const VcpuReport& vcpu, const Report& report) {
  if (!vcpu.cpu || never_ran(vcpu)) {
    return absent(vcpu);
  }
  if (vcpu.not_started) {
    return Doing{"not started yet: at the entry point given by the domain builder", place_of(vcpu), *vcpu.not_started};
  }
  if (vcpu.cpu->user) {
    return Doing{"in user mode", std::nullopt, "the mode is " + vcpu.cpu->mode};
  }
  if (in_panic(vcpu)) {
    return panicking(vcpu, report);
  }
  if (const auto function = stopped_in(vcpu)) {
    return stopped(*function, report);
  }
  if (in_idle(vcpu)) {
    return Doing{"idle", std::nullopt,
                 fmt::format("{} is in its trace, with no exception above it", bare(*first_of(vcpu, kIdle)))};
  }
  auto where = physical(vcpu, report);
  if (!vcpu.standstill) {
    return where;
  }
  Doing doing{standstill_text(*vcpu.standstill, report.guest.arch), place_of(vcpu), vcpu.standstill->how};
  if (doing.what.ends_with(',')) {
    doing.what.pop_back();
  }
  if (where) {
    doing.detail = where->detail ? fmt::format("{}, {}", where->what, *where->detail) : where->what;
    doing.how += "; " + where->how;
  }
  return doing;
}

/// The guest as a whole does what the one vCPU does that counts: that panics, or that is the only one there is, or what
/// all do alike.
std::optional<Doing> doing_of_guest(const Report& report) {
  std::vector<const VcpuReport*> present;
  for (const VcpuReport& vcpu : report.vcpus) {
    if (vcpu.cpu && vcpu.presence != VcpuPresence::offline) {
      present.push_back(&vcpu);
    }
  }
  const auto panic = std::ranges::find_if(report.vcpus, in_panic);
  if (panic != report.vcpus.end()) {
    return panic->doing;
  }
  if (present.empty() || !present.front()->doing) {
    return std::nullopt;
  }
  const Doing& first = *present.front()->doing;
  if (present.size() == 1) {
    Doing doing = first;
    doing.how = fmt::format("vCPU {}: {}", present.front()->id, doing.how);
    return doing;
  }
  const bool alike = std::ranges::all_of(
      present, [&](const VcpuReport* vcpu) { return vcpu->doing && vcpu->doing->what == first.what; });
  return alike ? std::optional(Doing{first.what, std::nullopt, fmt::format("all of {} vCPUs are", present.size())})
               : std::nullopt;
}

}  // namespace

bool told_by_frames(const VcpuReport& vcpu) {
  return (vcpu.cpu && vcpu.cpu->user) || in_panic(vcpu) || first_of(vcpu, kStopped) != vcpu.frames.end() ||
         in_idle(vcpu);
}

bool never_ran(const VcpuReport& vcpu) {
  return vcpu.presence == VcpuPresence::never_up || all_zero(vcpu);
}

void tell_doing(Report& report) {
  for (VcpuReport& vcpu : report.vcpus) {
    vcpu.doing = doing_of(vcpu, report);
  }
  report.guest.doing = doing_of_guest(report);
}

}  // namespace xstack
