// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "arch/translated_memory.h"
#include "guest/dump/capture_writer.h"
#include "guest/page_cache.h"
#include "linux/current_task.h"
#include "linux/file_slide.h"
#include "linux/kernel.h"
#include "linux/log_facts.h"
#include "linux/module_use.h"
#include "linux/task_list.h"
#include "tools/crash.h"
#include "tools/doing.h"
#include "tools/kernel_session.h"
#include "tools/naming.h"
#include "tools/session_hypervisor.h"
#include "tools/session_log.h"
#include "tools/session_silent.h"
#include "tools/session_tasks.h"
#include "tools/system_facts.h"
#include "tools/word_names.h"
#include "unwind/walker.h"

namespace xstack {
namespace {

/// What is taken while the guest stands still: everything after that works on this.
struct Taken {
  std::vector<DecodedVcpu> vcpus;
  std::vector<std::optional<Walk>> walks;        ///< parallel to vcpus
  std::vector<std::optional<StackDump>> stacks;  ///< parallel to vcpus
  std::vector<std::optional<KernelTask>> tasks;  ///< parallel to vcpus: what each runs
  std::vector<MemoryDump> memory;
  std::optional<std::uint64_t> pause_us;
};

constexpr std::uint64_t kMaxStackDump = 1U << 20;
constexpr std::uint64_t kMaxMemoryDump = 16U << 20;

/// A vCPU that has just come from user mode has its kernel SP where the stack begins. Behind that lies a guard page, or
/// nothing; below it the stack itself.
bool is_empty_stack(VirtMemory& memory, const StackDump& dump, const ArchOps& arch) {
  return dump.from.value % arch.stack_size == 0 && dump.from.value >= dump.word_size &&
         memory.read_word(GuestVirt(dump.from.value - dump.word_size), dump.word_size).has_value();
}

StackDump dump_stack(VirtMemory& memory, const CpuState& cpu, std::uint64_t bytes) {
  StackDump dump;
  dump.word_size = cpu.arch->word_size;
  const auto sp = cpu.regs.get(cpu.arch->sp);
  if (!sp) {
    dump.ended = "the stack pointer is not known";
    return dump;
  }
  dump.from = GuestVirt(*sp - *sp % dump.word_size);
  const std::uint64_t page_end = (dump.from.value | (kXenPageSize - 1)) + 1;
  const std::uint64_t want = bytes == 0 ? page_end - dump.from.value : std::min(bytes, kMaxStackDump);
  for (std::uint64_t at = 0; at + dump.word_size <= want; at += dump.word_size) {
    const auto word = memory.read_word(dump.from + at, dump.word_size);
    if (!word && at == 0 && is_empty_stack(memory, dump, *cpu.arch)) {
      dump.at_its_end = true;
      dump.ended = "empty: the stack pointer is where the stack begins";
      break;
    }
    if (!word) {
      dump.ended = fmt::format("{:#x}: {}", word.error().address, describe(word.error()));
      break;
    }
    dump.words.push_back(*word);
  }
  return dump;
}

MemoryDump dump_memory(VirtMemory& memory, GuestVirt from, std::uint64_t bytes) {
  MemoryDump dump{.from = from, .bytes = {}, .ended = {}};
  const std::uint64_t want = std::min(bytes, kMaxMemoryDump);
  while (dump.bytes.size() < want) {
    std::array<std::byte, kXenPageSize> part{};
    const std::size_t n = std::min<std::uint64_t>(part.size(), want - dump.bytes.size());
    const auto got = memory.read_some(from + dump.bytes.size(), std::span(part).first(n));
    if (!got) {
      dump.ended = fmt::format("{:#x}: {}", got.error().address, describe(got.error()));
      break;
    }
    dump.bytes.insert(dump.bytes.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(*got));
  }
  return dump;
}

/// The task that vCPU `i` runs, once its stack was walked. `hurry`: the guest waits, so that long searches are left to
/// the rehearsal, whose finds are remembered.
std::optional<KernelTask> task_of(const Taken& taken, std::size_t i, KernelSession& session, VirtMemory& memory,
                                  bool hurry) {
  Kernel& kernel = *session.kernel();
  const TaskLayout* layout = kernel.task_layout();
  if (layout == nullptr) {
    return std::nullopt;
  }
  TranslatedMemory search(session.guest().memory(), session.translations(taken.vcpus, i));
  const auto ask = [&](std::span<const GuestVirt> known) {
    return current_task({.arch = session.arch(),
                         .cpu = *taken.vcpus[i].cpu,
                         .frames = taken.walks[i]->frames,
                         .memory = memory,
                         .search = search,
                         .code = kernel.code(),
                         .layout = *layout,
                         .known = known});
  };
  auto task = ask(kernel.known_tasks());
  if (!task && !hurry && session.guest().facts().empty()) {
    // Nothing points to it: one of all tasks must have that stack.
    std::vector<GuestVirt> all;
    for (const KernelTask& one : read_tasks(search, *layout, session.arch().word_size).tasks) {
      all.push_back(one.at);
    }
    task = ask(all);
  }
  if (task) {
    kernel.remember_task(task->at);
  }
  return task;
}

/// Stacks, walks and asked-for memory of the vCPUs in `taken`, read through `pages`, which keeps what was read. Without
/// a kernel nothing is walked.
void take_stacks(Taken& taken, const ReportRequest& request, KernelSession& session, PhysMemory& pages, bool hurry) {
  Kernel* kernel = session.kernel();
  taken.walks.resize(taken.vcpus.size());
  taken.stacks.resize(taken.vcpus.size());
  taken.tasks.resize(taken.vcpus.size());
  for (std::size_t i = 0; i < taken.vcpus.size(); ++i) {
    const DecodedVcpu& vcpu = taken.vcpus[i];
    if (!vcpu.cpu) {
      continue;
    }
    TranslatedMemory memory(pages, session.translations(taken.vcpus, i));
    if (request.trace && kernel != nullptr) {
      StepContext context{*vcpu.cpu, memory, kernel->code(), kernel->unwind_tables(), request.scan};
      taken.walks[i] = walk_stack(context, request.max_frames);
      taken.tasks[i] = task_of(taken, i, session, memory, hurry);
    }
    if (request.stack_bytes) {
      taken.stacks[i] = dump_stack(memory, *vcpu.cpu, *request.stack_bytes);
    }
  }
  if (!request.memory.empty()) {
    TranslatedMemory memory(pages, session.translations(taken.vcpus, 0));
    for (const auto& [from, bytes] : request.memory) {
      taken.memory.push_back(dump_memory(memory, from, bytes));
    }
  }
}

bool wanted(const ReportRequest& request, unsigned id) {
  return request.vcpus.empty() || std::find(request.vcpus.begin(), request.vcpus.end(), id) != request.vcpus.end();
}

void drop_unwanted(std::vector<VcpuContext>& contexts, const ReportRequest& request) {
  std::erase_if(contexts, [&](const VcpuContext& vcpu) { return !wanted(request, vcpu.id); });
}

/// Names the words that are addresses of code, when that was asked for.
void name_dumps(Report& report, CodeInfo& code, unsigned word_size) {
  for (VcpuReport& vcpu : report.vcpus) {
    if (vcpu.stack) {
      vcpu.stack->names = name_words(vcpu.stack->words, code);
    }
  }
  for (MemoryDump& dump : report.memory) {
    dump.names = name_words(dump.bytes, word_size, code);
  }
}

VcpuReport report_vcpu(const Taken& taken, std::size_t i, KernelSession& session, const ReportRequest& request) {
  const DecodedVcpu& vcpu = taken.vcpus[i];
  VcpuReport report;
  report.id = vcpu.context.id;
  report.presence = vcpu.context.presence;
  report.absent_why = vcpu.why_not;
  report.cpu = vcpu.cpu;
  report.stack = taken.stacks[i];
  if (vcpu.cpu) {
    report.warnings = vcpu.cpu->warnings;
  }
  if (taken.tasks[i]) {
    report.task_pid = taken.tasks[i]->pid;
    report.task_comm = taken.tasks[i]->comm;
  }
  if (taken.walks[i] && session.kernel() != nullptr) {
    for (const Frame& frame : taken.walks[i]->frames) {
      append_frames(report.frames, frame, session.kernel()->code(), session.lines());
    }
    report.end = taken.walks[i]->end;
  } else if (request.trace) {
    report.end = TraceEnd{EndReason::no_registers, vcpu.why_not.value_or(""), {}};
  }
  return report;
}

/// Says what of the answer is missing. A vCPU that never ran is an answer; one whose trace broke off is not a whole
/// one.
void note_missing(Report& report, bool wants_vcpus) {
  for (const VcpuReport& vcpu : report.vcpus) {
    if (never_ran(vcpu) || vcpu.not_started) {
      continue;
    }
    if (!vcpu.cpu) {
      report.partial = true;
      report.warnings.push_back(fmt::format("vCPU {}: no registers: {}", vcpu.id, vcpu.absent_why.value_or("unknown")));
    } else if (vcpu.end && vcpu.end->reason != EndReason::user_mode && vcpu.end->reason != EndReason::end_of_stack) {
      report.partial = true;
      report.warnings.push_back(fmt::format("vCPU {}: the trace breaks off: {}{}{}", vcpu.id,
                                            to_string(vcpu.end->reason), vcpu.end->detail.empty() ? "" : ": ",
                                            vcpu.end->detail));
    }
    if (vcpu.stack && vcpu.stack->words.empty() && !vcpu.stack->at_its_end) {
      report.partial = true;
      report.warnings.push_back(fmt::format("vCPU {}: no stack: {}", vcpu.id, vcpu.stack->ended.value_or("empty")));
    }
  }
  if (report.vcpus.empty() && wants_vcpus) {
    report.partial = true;
    report.warnings.emplace_back("no vCPU: the input holds no registers (xstack tasks has the traces of tasks)");
  }
  for (const MemoryDump& dump : report.memory) {
    if (dump.ended) {
      report.partial = true;
      report.warnings.push_back("memory: " + *dump.ended);
    }
  }
}

/// The pages of both caches, ascending. What was read while the guest stood still is the truth about its stacks and
/// wins over what was read before or after.
std::vector<PageCache::Kept> merged_pages(const PageCache& frozen, const PageCache& kept) {
  std::map<GuestPhys, PageCache::Kept> pages;
  for (const PageCache* cache : {&frozen, &kept}) {
    for (const PageCache::Kept& page : cache->pages()) {
      pages.emplace(page.at, page);
    }
  }
  std::vector<PageCache::Kept> all;
  all.reserve(pages.size());
  for (const auto& [at, page] : pages) {
    all.push_back(page);
  }
  return all;
}

/// Everything that one pass over a guest yields: the report, and what a capture of it needs.
struct Pass {
  Report report;
  std::vector<VcpuContext> contexts;
  std::unique_ptr<KernelSession> session;  ///< with the pages that naming and the kernel's facts read
  std::unique_ptr<PageCache> frozen;       ///< what was read while the guest stood still
  std::unique_ptr<TaskCapture> tasks;      ///< when a capture is to hold them
};

Result<std::unique_ptr<KernelSession>> open_session(Guest& guest, const ReportRequest& request) {
  auto session = KernelSession::open(guest, {.symbol_files = request.symbol_files,
                                             .kernel_start = request.kernel_start,
                                             .arch = request.arch,
                                             .lines = request.lines,
                                             .fallback = request.fallback});
  if (!session) {
    return session;
  }
  for (const unsigned id : request.vcpus) {
    const auto& vcpus = (*session)->vcpus();
    if (std::none_of(vcpus.begin(), vcpus.end(), [&](const DecodedVcpu& v) { return v.context.id == id; })) {
      return fail(Errc::usage, fmt::format("the guest has no vCPU {}", id));
    }
  }
  if (request.kernel_facts) {
    if (auto found = (*session)->look_round(); !found) {
      return tl::unexpected(found.error());
    }
  }
  return session;
}

Result<Pass> run(Guest& guest, const ReportRequest& request, bool for_capture) {
  // Before the pause: everything that does not change after boot.
  auto opened = open_session(guest, request);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  Pass pass;
  pass.session = std::move(*opened);
  KernelSession& session = *pass.session;
  Kernel* kernel = session.kernel();
  if (kernel != nullptr && request.trace) {
    const TaskLayout* layout = kernel->task_layout();  // looked for now, not in the pause
    if (request.tasks && layout != nullptr && !no_tasks_in(guest)) {
      pass.tasks = std::make_unique<TaskCapture>(session);
    }
  }
  const std::size_t most_pages = pass.tasks ? kMaxTaskPages : PageCache::kDefaultPages;
  pass.frozen = std::make_unique<PageCache>(guest.memory(), most_pages);
  if (runs(guest)) {
    // A rehearsal on the moving guest: its result is thrown away, but the tables and names that the walk in the pause
    // needs are mapped afterwards, so that the guest stands still for its stacks alone.
    PageCache rehearsed(guest.memory(), most_pages);
    Taken rehearsal{.vcpus = session.vcpus(), .walks = {}, .stacks = {}, .tasks = {}, .memory = {}, .pause_us = {}};
    take_stacks(rehearsal, request, session, rehearsed, false);
    if (pass.tasks) {
      pass.tasks->take(session.vcpus(), rehearsed, true);
    }
  }

  Taken taken;
  {
    auto pause = guest.pause();
    if (!pause) {
      return tl::unexpected(pause.error());
    }
    auto now = guest.vcpus();
    if (!now) {
      return tl::unexpected(now.error());
    }
    pass.contexts = *now;
    drop_unwanted(*now, request);
    taken.vcpus = session.decode(std::move(*now));
    take_stacks(taken, request, session, *pass.frozen, runs(guest));
    if (pass.tasks) {
      pass.tasks->take(session.decode(pass.contexts), *pass.frozen, true);
    }
    taken.pause_us = (*pause)->release();
  }

  Report& report = pass.report;
  report.guest = session.describe();
  for (std::size_t i = 0; i < taken.vcpus.size(); ++i) {
    report.vcpus.push_back(report_vcpu(taken, i, session, request));
  }
  report.memory = std::move(taken.memory);
  report.warnings = guest.warnings();
  if (kernel != nullptr) {
    report.warnings.insert(report.warnings.end(), kernel->warnings().begin(), kernel->warnings().end());
    if (request.name_words) {
      name_dumps(report, kernel->code(), session.arch().word_size);
    }
    report.guest.lines = session.lines()->files();
    const auto& remarks = session.lines()->warnings();
    report.warnings.insert(report.warnings.end(), remarks.begin(), remarks.end());
    if (for_capture) {
      // So that the replay knows them, and a file that is given there can be fitted to the kernel.
      for (const std::string_view name : slide_names()) {
        (void)kernel->code().address_of(name);
      }
    }
  }
  const std::uint64_t walk_pages = pass.frozen->size();
  look_at_silent(report, taken.vcpus, session, *pass.frozen, {request.trace, request.kernel_facts});
  note_missing(report, request.trace);
  report.partial = report.partial || guest.cut_short().has_value();
  report.capture = {.pause_us = taken.pause_us, .pages = guest.pages_mapped(), .walk_pages = walk_pages};
  return pass;
}

/// What a capture needs of the guest's tasks, or why there are none.
Result<std::size_t> finish_tasks(Pass& pass) {
  if (pass.tasks) {
    return pass.tasks->finish(*pass.frozen);
  }
  if (auto why = no_tasks_in(pass.session->guest())) {
    return fail(Errc::not_found, std::move(*why));
  }
  Kernel* kernel = pass.session->kernel();
  return fail(Errc::not_found, kernel != nullptr ? kernel->no_task_layout() : "the kernel was not found");
}

/// A report with nothing but the traces, for a command that shows none: where a panic happened is in them.
Report traces_alone(Pass& pass, const KernelLog& log, const ReportRequest& request) {
  Report report;
  const auto crash = find_crash(log, report);
  if (!crash || crash->kind != "panic") {
    return report;
  }
  ReportRequest walk;
  walk.vcpus = request.vcpus;
  PageCache pages(pass.session->guest().memory());
  Taken taken{.vcpus = pass.session->vcpus(), .walks = {}, .stacks = {}, .memory = {}, .pause_us = {}};
  take_stacks(taken, walk, *pass.session, pages, false);
  for (std::size_t i = 0; i < taken.vcpus.size(); ++i) {
    report.vcpus.push_back(report_vcpu(taken, i, *pass.session, walk));
  }
  return report;
}

/// What the kernel's log has to say: whether it crashed, and, when asked for, the facts that are nowhere else.
void read_the_log(Pass& pass, const ReportRequest& request) {
  if (!request.kernel_facts) {
    return;
  }
  // A crash is among the newest records; the command line and the memory are among the oldest.
  const LogLimits limits = request.system_facts ? LogLimits{} : LogLimits{.records = 4096, .text_bytes = 1U << 20};
  const auto log = read_session_log(*pass.session, limits);
  if (log) {
    pass.report.guest.crash = find_crash(*log, request.trace ? pass.report : traces_alone(pass, *log, request));
  }
  if (request.system_facts) {
    pass.report.guest.system = read_system_facts(*pass.session, log ? &*log : nullptr, true);
    if (!log) {
      pass.report.guest.system->unknown.push_back("log: " + log.error().message);
    }
  }
}

}  // namespace

Result<Report> make_report(Guest& guest, const ReportRequest& request) {
  auto pass = run(guest, request, false);
  if (!pass) {
    return tl::unexpected(pass.error());
  }
  read_the_log(*pass, request);
  if (request.kernel_facts) {
    tell_hypervisor_log(guest, pass->report.guest);
  }
  tell_doing(pass->report);
  return std::move(pass->report);
}

Result<Report> write_capture(Guest& guest, const ReportRequest& request, const std::string& path) {
  auto pass = run(guest, request, true);
  if (!pass) {
    return tl::unexpected(pass.error());
  }
  Report& report = pass->report;
  std::map<std::string, std::string> facts;
  std::optional<KernelLog> log;
  if (request.log) {
    if (auto found = read_session_log(*pass->session)) {
      log = std::move(*found);
      facts = write_log_facts(*log);
    } else {
      report.warnings.push_back("the capture holds no log: " + found.error().message);
    }
  }
  if (request.tasks) {
    if (const auto tasks = finish_tasks(*pass)) {
      facts.insert(tasks_fact(*tasks));
    } else {
      report.partial = true;
      report.warnings.push_back("the capture holds no tasks: " + tasks.error().message);
    }
  }
  tell_hypervisor_log(guest, report.guest);
  facts.merge(hypervisor_facts(report.guest));
  if (Kernel* kernel = pass->session->kernel()) {
    // What info and modules will ask of the replay.
    static_cast<void>(read_system_facts(*pass->session, log ? &*log : nullptr, false));
    static_cast<void>(read_module_use(pass->session->memory(), kernel->modules(), pass->session->arch().word_size,
                                      kernel->module_taints()));
    if (pass->session->tables()) {
      facts.insert(tables_fact(*pass->session->tables()));
    }
    facts.merge(kernel->facts());  // last: they hold what was asked on the way
  }
  if (auto written = write_capture_file(path, guest.identity(), pass->contexts,
                                        merged_pages(*pass->frozen, pass->session->kept()), facts);
      !written) {
    return tl::unexpected(written.error());
  }
  return std::move(pass->report);
}

}  // namespace xstack
