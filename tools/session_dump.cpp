// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/session_dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <ctime>
#include <set>
#include <utility>

#include "tools/dump_memory.h"
#include "tools/held_signals.h"
#include "tools/running_tasks.h"
#include "vmcore/elf_core.h"
#include "vmcore/kdump_write.h"
#include "vmcore/segments.h"
#include "vmcore/xl_core.h"

namespace xstack {
namespace {

std::optional<std::uint64_t> decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// The pid of the task that each vCPU runs: drgn before 0.0.27 believes in the registers of a running task where they
/// stand in its note, later ones where the vCPU's number and one do (find_prstatus in libdrgn/stack_trace.c of both).
/// Debuggers, which read ELF alone, want a number for each, and none twice: a vCPU that is idle (pid 0) or whose task
/// is not known has one there that no task can have (PID_MAX_LIMIT, include/linux/threads.h, is 2^22).
std::vector<std::uint32_t> task_numbers(KernelSession& session, const std::vector<DecodedVcpu>& vcpus,
                                        CoreFormat format) {
  constexpr std::uint32_t kBeyondTasks = 1U << 22;
  const auto pids = running_pids(session, vcpus);
  std::set<std::uint32_t> used;
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < vcpus.size(); ++i) {
    const bool usable = pids[i] && *pids[i] < kBeyondTasks &&
                        (format == CoreFormat::kdump || (*pids[i] != 0 && used.insert(*pids[i]).second));
    out.push_back(usable ? *pids[i] : kBeyondTasks + vcpus[i].context.id + 1);
  }
  return out;
}

Result<OutputFile> open_output(const DumpRequest& request) {
  // A kdump file's pages are compressed, each by itself, not the file.
  const bool zstd =
      request.format != CoreFormat::kdump &&
      request.compress.value_or(request.output.ends_with(".zst") ? PageCompression::zstd : PageCompression::none) !=
          PageCompression::none;
  const auto level = zstd ? std::optional(kZstdForDumps) : std::nullopt;
  return request.output == "-" ? OutputFile::standard_output(level, request.skip)
                               : OutputFile::create(request.output, level);
}

/// Floating point and vector registers of a process may hold its keys; they come first in both of Xen's x86 structures
/// (vcpu_guest_context.fpu_ctxt, hvm_hw_cpu.fpu_regs), and no trace needs them. ARM's have none.
void forget_floating_point(ArchId arch, std::vector<VcpuContext>& contexts) {
  constexpr std::size_t kFxsave = 512;
  if (arch != ArchId::x86_64 && arch != ArchId::x86_32) {
    return;
  }
  for (VcpuContext& vcpu : contexts) {
    if (vcpu.form == ContextForm::prstatus) {
      continue;  // it has none, and neither has what QEMU gives beside it
    }
    std::fill_n(vcpu.context.begin(), std::min(kFxsave, vcpu.context.size()), std::byte{0});
    std::fill_n(vcpu.hvm_record.begin(), std::min(kFxsave, vcpu.hvm_record.size()), std::byte{0});
  }
}

Result<WrittenMemory> write_as_elf(KernelSession& session, const CoreContents& contents, const DumpMemory& memory,
                                   OutputFile& out, const Progress& progress, DumpReport& report) {
  const CorePlan plan = plan_segments(memory.kept.numbered, memory.map);
  if (memory.map.cut || plan.cut) {
    report.partial = true;
    report.warnings.emplace_back("the kernel maps more than a core can say: some virtual addresses are missing");
  }
  const auto head = core_head(contents, plan);
  if (!head) {
    return tl::unexpected(head.error());
  }
  if (auto ok = out.append(*head); !ok) {
    return tl::unexpected(ok.error());
  }
  report.segments = plan.segments.size();
  BlankedMemory blanked(session.guest().memory(), memory.blanks);
  return write_memory(blanked, memory.kept.frames, out, progress);
}

/// Where readers of a kdump file are to believe that the kernel's memory begins; nothing when that is not known.
std::optional<std::uint64_t> physical_base(KernelSession& session, const Vmcoreinfo& info, const KernelMap& map) {
  if (session.arch().id == ArchId::x86_64) {
    return info.number("phys_base");
  }
  if (const auto offset = info.number("PHYS_OFFSET")) {
    return *offset;
  }
  // arm32 and x86-32 map memory from where the kernel's addresses begin.
  constexpr std::uint64_t kSplit = 0x10000000;
  if (const auto text = info.symbol("_stext")) {
    const GuestVirt begin(text->value & ~(kSplit - 1));
    for (const MappedRun& run : map.runs) {
      if (run.at <= *text && *text - run.at < run.bytes) {
        return (run.phys - (run.at - begin)).value;
      }
    }
  }
  return std::nullopt;
}

Result<WrittenMemory> write_as_kdump(KernelSession& session, const DumpRequest& request, const CoreContents& contents,
                                     const DumpMemory& memory, OutputFile& out, const Progress& progress,
                                     DumpReport& report) {
  const auto& info = session.kernel()->vmcoreinfo();
  const auto page_size = info ? decimal(info->value("PAGESIZE").value_or("")) : std::nullopt;
  if (!page_size || *page_size < kXenPageSize || *page_size > 65536 || !std::has_single_bit(*page_size)) {
    return fail(Errc::not_found, "no VMCOREINFO in the guest, without which nothing can read a kdump file");
  }
  KdumpContents kdump;
  kdump.page_size = *page_size;
  const auto base = physical_base(session, *info, memory.map);
  if (!base) {
    report.warnings.emplace_back(
        "where the kernel's memory begins is not known, for which the header of a kdump file has no other word than 0");
  }
  kdump.phys_base = base.value_or(0);
  kdump.dump_level = request.keep == KeepPages::all ? 0 : 2 | 4 | 8 | 16;
  kdump.time = static_cast<std::uint64_t>(std::time(nullptr));
  kdump.compression = request.compress.value_or(PageCompression::zlib);
  const auto uts = info->symbol("init_uts_ns");
  const auto name = decimal(info->value("OFFSET(uts_namespace.name)").value_or(""));
  kdump.uts = (uts && name ? read_utsname(session.memory(), *uts + *name) : std::nullopt)
                  .value_or(make_utsname(session.arch().id, info->release().value_or("")));
  const auto plan = plan_kdump(contents, kdump, memory.present, memory.kept.numbered);
  if (!plan) {
    return tl::unexpected(plan.error());
  }
  BlankedMemory blanked(session.guest().memory(), memory.blanks);
  return write_kdump(blanked, *plan, out, progress);
}

Result<WrittenMemory> write_as_xl(KernelSession& session, const CoreContents& contents, const DumpMemory& memory,
                                  OutputFile& out, const Progress& progress) {
  const bool pv = contents.identity.type == GuestType::pv;
  if (pv && memory.table.empty()) {
    return fail(Errc::not_found, "the kernel's direct map was not found, which says which page is which");
  }
  const auto plan = plan_xl_core(contents, pv ? memory.kept.numbered : memory.kept.frames, memory.kept.frames);
  if (!plan) {
    return tl::unexpected(plan.error());
  }
  BlankedMemory blanked(session.guest().memory(), memory.blanks);
  return write_xl_core(blanked, *plan, out, progress);
}

/// What cannot be written of this guest, before anything is done about it.
Result<void> check_request(Guest& guest, const DumpRequest& request) {
  if (request.format == CoreFormat::kdump && guest.identity().type == GuestType::pv) {
    return fail(Errc::unsupported,
                "a PV guest's page tables hold Xen's frame numbers, and readers of kdump files know no others than the "
                "kernel's: use --format elf for gdb and drgn, --format xl for crash");
  }
  if (request.format != CoreFormat::kdump && request.compress == PageCompression::zlib) {
    return fail(Errc::usage,
                "--compress zlib is for pages of a kdump file; other files are compressed with zstd, or not");
  }
  if (request.format == CoreFormat::kdump && !request.compress && request.output.ends_with(".zst")) {
    return fail(Errc::usage, "a kdump file compresses its pages, not itself: name it otherwise, with --compress zstd");
  }
  if (request.skip != 0 && (request.output != "-" || request.format == CoreFormat::kdump)) {
    return fail(Errc::usage,
                "--skip is for standard output, and for elf and xl: a kdump file says when it was written");
  }
  if (request.skip != 0 && runs(guest)) {
    return fail(Errc::usage, "--skip: this guest runs, so that what was sent of it does not fit to what it is now");
  }
  if (request.keep == KeepPages::redacted && !request.pause && runs(guest)) {
    return fail(Errc::usage,
                "--redact together with --live: a page may become a process's between the look at it and its copy");
  }
  return {};
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
  auto planned = plan_memory(session, vcpus, request.keep);
  if (!planned) {
    return tl::unexpected(planned.error());
  }
  const DumpMemory& memory = *planned;
  report.warnings.insert(report.warnings.end(), memory.warnings.begin(), memory.warnings.end());
  if (memory.map.runs.empty()) {
    report.partial = true;
    report.warnings.emplace_back(
        "no page tables of the kernel: memory is in the dump by physical address alone, which debuggers cannot use");
  }
  if (request.keep == KeepPages::redacted) {
    forget_floating_point(session.arch().id, *contexts);
  }
  const auto& info = session.kernel() != nullptr ? session.kernel()->vmcoreinfo() : std::nullopt;
  if (!info) {
    report.warnings.emplace_back("no VMCOREINFO in the guest: crash and drgn need it, gdb does not");
  }
  const auto threads = request.numbers == NoteNumbers::task ? task_numbers(session, vcpus, request.format)
                                                            : std::vector<std::uint32_t>();
  const CoreContents contents{
      .arch = session.arch().id,
      .identity = guest.identity(),
      .vcpus = *contexts,
      .cpus = cpus,
      .threads = threads,
      .vmcoreinfo = info ? std::optional<std::string_view>(info->text()) : std::nullopt,
      .facts = guest.facts(),
      .frame_numbers = memory.table,
  };
  const Progress progress = [&](std::uint64_t done, std::uint64_t all) {
    return !signals.waiting() && (!request.progress || request.progress(done, all));
  };
  const auto written =
      request.format == CoreFormat::kdump ? write_as_kdump(session, request, contents, memory, out, progress, report)
      : request.format == CoreFormat::xl  ? write_as_xl(session, contents, memory, out, progress)
                                          : write_as_elf(session, contents, memory, out, progress, report);
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
  for (const FrameRange& range : memory.kept.frames) {
    report.memory_bytes += range.count * kXenPageSize;
  }
  if (memory.counts) {
    report.left_out = describe_left_out(*memory.counts);
  }
  report.zero_pages = written->zero_pages;
  report.aliases_left_out = memory.map.aliases_left_out;
  return {};
}

}  // namespace

Result<DumpReport> write_dump(Guest& guest, const DumpRequest& request) {
  if (auto ok = check_request(guest, request); !ok) {
    return tl::unexpected(ok.error());
  }
  auto session = KernelSession::open(guest, request.kernel);
  if (!session) {
    return tl::unexpected(session.error());
  }
  if (auto found = (*session)->look_round(); !found) {
    return tl::unexpected(found.error());
  }
  static_cast<void>((*session)->kernel()->task_layout());  // looked for while the guest still runs
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
