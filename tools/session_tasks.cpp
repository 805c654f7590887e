// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/session_tasks.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <utility>

#include "guest/page_cache.h"
#include "linux/current_task.h"
#include "linux/mapped_scan.h"
#include "linux/saved_registers.h"
#include "linux/task_list.h"
#include "tools/naming.h"
#include "unwind/walker.h"

namespace xstack {
namespace {

constexpr const char* kTasksFact = "tasks";

/// A task with what its trace starts from.
struct TakenTask {
  KernelTask task;
  bool idle = false;
  std::optional<std::size_t> runs_on;  ///< position in Taken::vcpus
  tl::expected<Frame, std::string> start = tl::unexpected<std::string>("");
};

/// What is taken while the guest stands still.
struct Taken {
  std::vector<DecodedVcpu> vcpus;
  std::vector<std::optional<Walk>> walks;  ///< parallel to vcpus
  std::vector<TakenTask> tasks;            ///< those that were asked for
  std::size_t listed = 0;
  std::size_t not_walked = 0;    ///< beyond kMaxTaskTraces
  std::size_t without_task = 0;  ///< vCPUs whose task was not found
  std::vector<std::string> problems;
  std::optional<std::uint64_t> pause_us;
};

bool wanted(const TasksRequest& request, const KernelTask& task) {
  const auto letter = state_letter(task);
  if (!request.states.empty() && (!letter || request.states.find(*letter) == std::string::npos)) {
    return false;
  }
  const auto is = [&](std::uint32_t pid) { return task.pid == pid || task.tgid == pid; };
  if (!request.pids.empty() && std::none_of(request.pids.begin(), request.pids.end(), is)) {
    return false;
  }
  const auto named = [&](const std::string& pattern) { return fnmatch(pattern.c_str(), task.comm.c_str(), 0) == 0; };
  return request.comms.empty() || std::any_of(request.comms.begin(), request.comms.end(), named);
}

/// Tells which task each vCPU runs.
std::vector<std::optional<KernelTask>> find_current(const Taken& taken, KernelSession& session, PhysMemory& pages,
                                                    std::span<const GuestVirt> listed) {
  std::vector<std::optional<KernelTask>> current(taken.vcpus.size());
  for (std::size_t i = 0; i < taken.vcpus.size(); ++i) {
    if (!taken.vcpus[i].cpu) {
      continue;
    }
    TranslatedMemory memory(pages, session.translations(taken.vcpus, i));
    TranslatedMemory search(session.guest().memory(), session.translations(taken.vcpus, i));
    std::span<const Frame> frames;
    if (taken.walks[i]) {
      frames = taken.walks[i]->frames;
    }
    current[i] = current_task({.arch = session.arch(),
                               .cpu = *taken.vcpus[i].cpu,
                               .frames = frames,
                               .memory = memory,
                               .search = search,
                               .code = session.kernel()->code(),
                               .layout = *session.kernel()->task_layout(),
                               .known = listed});
  }
  return current;
}

void walk_vcpus(Taken& taken, const TasksRequest& request, KernelSession& session, PhysMemory& pages) {
  taken.walks.resize(taken.vcpus.size());
  Kernel& kernel = *session.kernel();
  for (std::size_t i = 0; i < taken.vcpus.size(); ++i) {
    if (taken.vcpus[i].cpu) {
      TranslatedMemory memory(pages, session.translations(taken.vcpus, i));
      StepContext context{*taken.vcpus[i].cpu, memory, kernel.code(), kernel.unwind_tables(), request.scan};
      taken.walks[i] = walk_stack(context, request.max_frames);
    }
  }
}

/// Where the trace of a task that no vCPU runs starts; the used part of its stack is read, so that `memory` keeps it.
tl::expected<Frame, std::string> start_of(const KernelTask& task, const Taken& taken, KernelSession& session,
                                          VirtMemory& memory, bool freeze) {
  const bool dead = task.exit_state.value_or(0) != 0;
  if (dead && task.stack.value == 0) {
    return tl::unexpected<std::string>("it is dead, and its stack is gone");
  }
  if (!dead && task.on_cpu.value_or(task.state == 0U) && taken.without_task > 0) {
    return tl::unexpected<std::string>("it runs, or is about to, and which vCPU runs it is not known");
  }
  Kernel& kernel = *session.kernel();
  auto start = saved_frame(memory, *kernel.task_layout(), session.arch(), kernel.code(), task);
  if (start && freeze && start->sp) {
    const std::uint64_t end = task.stack.value + kernel.task_layout()->stack_size;
    if (start->sp->value < end && start->sp->value >= task.stack.value) {
      std::vector<std::byte> used(end - start->sp->value);
      read_tolerant(memory, *start->sp, used);
    }
  }
  return start;
}

/// Everything that must be of one moment.
void take(Taken& taken, const TasksRequest& request, KernelSession& session, PhysMemory& pages, bool freeze) {
  const TaskLayout& layout = *session.kernel()->task_layout();
  walk_vcpus(taken, request, session, pages);
  TranslatedMemory memory(pages, session.translations(taken.vcpus, 0));
  TaskListing listing = read_tasks(memory, layout, session.arch().word_size);
  taken.problems = std::move(listing.problems);
  taken.listed = listing.tasks.size();
  std::vector<GuestVirt> all;
  for (const KernelTask& task : listing.tasks) {
    all.push_back(task.at);
  }
  const auto current = find_current(taken, session, pages, all);
  std::map<std::uint64_t, std::size_t> running;
  for (std::size_t i = 0; i < current.size(); ++i) {
    if (current[i]) {
      running.emplace(current[i]->at.value, i);
    } else if (taken.vcpus[i].cpu) {
      ++taken.without_task;
    }
  }
  for (KernelTask& task : listing.tasks) {
    if (!wanted(request, task)) {
      continue;
    }
    TakenTask one;
    if (const auto on = running.find(task.at.value); on != running.end()) {
      one.runs_on = on->second;
    } else if (request.trace && taken.tasks.size() >= kMaxTaskTraces) {
      ++taken.not_walked;
      one.start = tl::unexpected<std::string>("too many were asked for");
    } else if (request.trace) {
      one.start = start_of(task, taken, session, memory, freeze);
    }
    one.task = std::move(task);
    taken.tasks.push_back(std::move(one));
  }
  for (std::size_t i = 0; i < current.size(); ++i) {
    const bool idle = current[i] && current[i]->pid == 0;
    if (idle && wanted(request, *current[i]) && request.pids.empty()) {
      taken.tasks.push_back({.task = *current[i], .idle = true, .runs_on = i});
    }
  }
}

/// How the machine is set up for a task that no vCPU runs.
std::optional<CpuState> resting_cpu(const Taken& taken, const KernelSession& session) {
  const auto any = std::find_if(taken.vcpus.begin(), taken.vcpus.end(),
                                [](const DecodedVcpu& vcpu) { return vcpu.cpu && vcpu.cpu->mmu_on; });
  if (any == taken.vcpus.end()) {
    if (taken.vcpus.empty() && session.tables()) {  // memory alone
      CpuState cpu;
      cpu.arch = &session.arch();
      cpu.table_form = session.tables()->form;
      cpu.translations.push_back(session.tables()->translation());
      return cpu;
    }
    return std::nullopt;
  }
  CpuState cpu = *any->cpu;
  cpu.user = false;
  return cpu;
}

void add_walk(TaskReport& report, const Walk& walk, KernelSession& session) {
  for (const Frame& frame : walk.frames) {
    append_frames(report.frames, frame, session.kernel()->code(), session.lines());
  }
  report.end = walk.end;
}

TaskReport report_task(const TakenTask& one, const Taken& taken, const TasksRequest& request, KernelSession& session,
                       VirtMemory& memory, const std::optional<CpuState>& resting) {
  Kernel& kernel = *session.kernel();
  TaskReport report;
  report.pid = one.task.pid;
  report.tgid = one.task.tgid;
  report.comm = one.task.comm;
  report.state = state_letter(one.task);
  report.parent = one.task.parent;
  report.cpu = one.task.cpu;
  report.kernel_thread = one.task.kernel_thread;
  report.idle = one.idle;
  report.structure = one.task.at;
  if (one.runs_on) {
    report.vcpu = taken.vcpus[*one.runs_on].context.id;
    report.registers = taken.vcpus[*one.runs_on].cpu;
  }
  if (!request.trace) {
    return report;
  }
  if (one.runs_on && taken.walks[*one.runs_on]) {
    add_walk(report, *taken.walks[*one.runs_on], session);
  } else if (!one.start) {
    report.no_trace = one.start.error();
  } else if (resting) {
    StepContext context{*resting, memory, kernel.code(), kernel.unwind_tables(), request.scan};
    add_walk(report, walk_stack_from(context, *one.start, request.max_frames), session);
  } else {
    report.no_trace = "no vCPU shows how the guest translates addresses";
  }
  return report;
}

/// Equal stacks: the same return addresses in the same state. Largest group first; equally large ones as listed.
std::vector<TaskGroup> make_groups(const std::vector<TaskReport>& tasks) {
  using Key = std::pair<std::optional<char>, std::vector<std::uint64_t>>;
  std::map<Key, std::size_t> places;
  std::vector<TaskGroup> groups;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    Key key{tasks[i].vcpu ? std::nullopt : tasks[i].state, {}};
    for (const NamedFrame& frame : tasks[i].frames) {
      key.second.push_back(frame.pc.value);
    }
    const auto [place, added] = places.emplace(std::move(key), groups.size());
    if (added) {
      groups.emplace_back();
    }
    groups[place->second].push_back(i);
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const TaskGroup& a, const TaskGroup& b) { return a.size() > b.size(); });
  return groups;
}

void note_missing(TasksReport& report, const Taken& taken) {
  const auto miss = [&](std::string text) {
    report.partial = true;
    report.warnings.push_back(std::move(text));
  };
  for (const std::string& problem : taken.problems) {
    miss(problem);
  }
  if (taken.without_task > 0) {
    miss(fmt::format("the task of {} vCPU{} was not found", taken.without_task, taken.without_task == 1 ? "" : "s"));
  }
  if (taken.not_walked > 0) {
    miss(fmt::format("the stacks of {} tasks were not walked: {} are the most", taken.not_walked, kMaxTaskTraces));
  }
  const auto broken = std::count_if(report.tasks.begin(), report.tasks.end(), [](const TaskReport& task) {
    return task.end && task.end->reason != EndReason::user_mode && task.end->reason != EndReason::end_of_stack;
  });
  if (broken > 0) {
    miss(fmt::format("the traces of {} tasks break off; each says why", broken));
  }
}

/// Everything that is worked on after the pause, read through `frozen`.
TasksReport report_taken(const Taken& taken, const TasksRequest& request, KernelSession& session, PhysMemory& frozen) {
  TasksReport report;
  report.guest = session.describe();
  report.listed = taken.listed;
  report.traced = request.trace;
  report.pause_us = taken.pause_us;
  TranslatedMemory memory(frozen, session.translations(taken.vcpus, 0));
  const auto resting = resting_cpu(taken, session);
  for (const TakenTask& one : taken.tasks) {
    report.tasks.push_back(report_task(one, taken, request, session, memory, resting));
  }
  if (request.group) {
    report.groups = make_groups(report.tasks);
  }
  return report;
}

}  // namespace

std::optional<std::string> no_tasks_in(const Guest& guest) {
  if (guest.identity().source != "capture" || guest.facts().contains(kTasksFact)) {
    return std::nullopt;
  }
  return "the capture does not hold the guest's tasks: it was written without --tasks";
}

std::pair<std::string, std::string> tasks_fact(std::size_t tasks) {
  return {kTasksFact, std::to_string(tasks)};
}

struct TaskCapture::State {
  explicit State(KernelSession& s) : session(s) {}
  KernelSession& session;
  TasksRequest request;
  Taken taken;
};

TaskCapture::TaskCapture(KernelSession& session) : state_(std::make_unique<State>(session)) {}
TaskCapture::~TaskCapture() = default;

void TaskCapture::take(const std::vector<DecodedVcpu>& vcpus, PhysMemory& pages, bool freeze) {
  state_->taken = {};
  state_->taken.vcpus = vcpus;
  xstack::take(state_->taken, state_->request, state_->session, pages, freeze);
}

Result<std::size_t> TaskCapture::finish(PhysMemory& pages) {
  if (!state_->taken.problems.empty()) {
    return fail(Errc::not_found, state_->taken.problems.front());
  }
  return report_taken(state_->taken, state_->request, state_->session, pages).tasks.size();
}

Result<TasksReport> make_tasks_report(Guest& guest, const TasksRequest& request) {
  auto opened = KernelSession::open(guest, request.kernel);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  KernelSession& session = **opened;
  if (auto found = session.look_round(); !found) {
    return tl::unexpected(found.error());
  }
  Kernel& kernel = *session.kernel();
  if (const auto why = no_tasks_in(guest)) {
    TasksReport none;
    none.guest = session.describe();
    none.traced = request.trace;
    none.partial = true;
    none.warnings.push_back(*why);
    return none;
  }
  if (kernel.task_layout() == nullptr) {
    return fail(Errc::not_found, "the guest's tasks were not found: " + kernel.no_task_layout());
  }
  const bool freeze = runs(guest);
  if (freeze) {
    // On the moving guest: the result is thrown away, but what the pause needs is mapped then.
    PageCache rehearsed(guest.memory(), kMaxTaskPages);
    Taken rehearsal;
    rehearsal.vcpus = session.vcpus();
    take(rehearsal, request, session, rehearsed, true);
  }
  Taken taken;
  PageCache frozen(guest.memory(), freeze ? kMaxTaskPages : PageCache::kDefaultPages);
  {
    auto pause = guest.pause();
    if (!pause) {
      return tl::unexpected(pause.error());
    }
    auto now = guest.vcpus();
    if (!now) {
      return tl::unexpected(now.error());
    }
    taken.vcpus = session.decode(std::move(*now));
    take(taken, request, session, frozen, freeze);
    taken.pause_us = (*pause)->release();
  }

  TasksReport report = report_taken(taken, request, session, frozen);
  report.partial = report.partial || guest.cut_short().has_value();
  report.warnings = guest.warnings();
  report.warnings.insert(report.warnings.end(), kernel.warnings().begin(), kernel.warnings().end());
  if (session.lines() != nullptr) {
    report.guest.lines = session.lines()->files();
    const auto& remarks = session.lines()->warnings();
    report.warnings.insert(report.warnings.end(), remarks.begin(), remarks.end());
  }
  if (freeze && frozen.left_out() > 0) {
    report.warnings.push_back("more memory than can be kept: part of it was read after the pause");
  }
  note_missing(report, taken);
  return report;
}

}  // namespace xstack
