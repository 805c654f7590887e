// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/system_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "linux/cpu_counts.h"
#include "linux/task_list.h"
#include "tools/session_tasks.h"

namespace xstack {
namespace {

constexpr std::size_t kMaxCommandLine = 4096;

/// kernel/panic.c, taint_flags[], by bit.
constexpr std::array<std::pair<char, const char*>, 20> kTaints = {{{'P', "proprietary module"},
                                                                   {'F', "module was force loaded"},
                                                                   {'S', "CPU out of specification"},
                                                                   {'R', "module was force unloaded"},
                                                                   {'M', "machine check"},
                                                                   {'B', "bad page"},
                                                                   {'U', "user request"},
                                                                   {'D', "died: oops or BUG"},
                                                                   {'A', "ACPI table overridden"},
                                                                   {'W', "warning"},
                                                                   {'C', "staging driver"},
                                                                   {'I', "firmware workaround"},
                                                                   {'O', "out-of-tree module"},
                                                                   {'E', "unsigned module"},
                                                                   {'L', "soft lockup"},
                                                                   {'K', "live patched"},
                                                                   {'X', "auxiliary"},
                                                                   {'T', "randomised structures"},
                                                                   {'N', "in-kernel test"},
                                                                   {'J', "fwctl"}}};

/// A guest that runs may move its lists while they are read: then they are read once more.
TaskListing read_whole_list(KernelSession& session, const TaskLayout& layout) {
  constexpr unsigned kTries = 3;
  TaskListing listing;
  for (unsigned i = 0; i < kTries; ++i) {
    listing = read_tasks(session.search(), layout, session.arch().word_size);
    if (listing.problems.empty() || !runs(session.guest())) {
      break;
    }
  }
  return listing;
}

/// The newest record for which `take` gives a text.
template <class Take>
std::optional<std::string> newest(const KernelLog* log, Take take) {
  if (log == nullptr) {
    return std::nullopt;
  }
  for (auto record = log->records.rbegin(); record != log->records.rend(); ++record) {
    if (record->facility == 0) {
      if (std::optional<std::string> text = take(std::string_view(record->text))) {
        return text;
      }
    }
  }
  return std::nullopt;
}

void find_command_line(KernelSession& session, const KernelLog* log, SystemReport& report) {
  Kernel& kernel = *session.kernel();
  if (const auto variable = kernel.code().address_of("saved_command_line")) {
    const auto at = session.memory().read_word(*variable, session.arch().word_size);
    auto text =
        at && *at != 0 ? session.memory().read_string(GuestVirt(*at), kMaxCommandLine) : tl::unexpected(Fault{});
    if (text && !text->empty()) {
      report.command_line = std::move(*text);
      report.command_line_by = "saved_command_line";
      return;
    }
  }
  report.command_line = newest(log, [](std::string_view text) -> std::optional<std::string> {
    constexpr std::string_view kStart = "Kernel command line: ";
    return text.starts_with(kStart) ? std::optional(std::string(text.substr(kStart.size()))) : std::nullopt;
  });
  if (report.command_line) {
    report.command_line_by = "the log";
  } else {
    report.unknown.emplace_back("command line: kallsyms has no saved_command_line, and the log does not have it");
  }
}

void find_taint(KernelSession& session, const KernelLog* log, SystemReport& report) {
  if (const auto variable = session.kernel()->code().address_of("tainted_mask")) {
    if (const auto mask = session.memory().read_word(*variable, session.arch().word_size)) {
      report.taint = taint_names(*mask);
      report.taint_by = "tainted_mask";
      return;
    }
  }
  // "CPU: 0 PID: 1 Comm: sh Tainted: G        W  O  6.1.0 #1", "Not tainted": as of that line.
  const auto letters = newest(log, [](std::string_view text) -> std::optional<std::string> {
    constexpr std::string_view kTainted = " Tainted: ";
    if (!text.starts_with("CPU: ")) {
      return std::nullopt;
    }
    if (text.find(" Not tainted ") != std::string_view::npos) {
      return std::string();
    }
    const std::size_t at = text.find(kTainted);
    if (at == std::string_view::npos) {
      return std::nullopt;
    }
    std::string found;
    for (const char c : text.substr(at + kTainted.size())) {
      if (c != ' ' && (c < 'A' || c > 'Z')) {
        break;
      }
      if (c != ' ' && c != 'G') {
        found.push_back(c);
      }
    }
    return found;
  });
  if (!letters) {
    report.unknown.emplace_back("taint: kallsyms has no tainted_mask, and no line of the log tells");
    return;
  }
  std::uint64_t mask = 0;
  for (std::size_t bit = 0; bit < kTaints.size(); ++bit) {
    mask |= letters->find(kTaints.at(bit).first) != std::string::npos ? std::uint64_t{1} << bit : 0;
  }
  report.taint = taint_names(mask);
  report.taint_by = "the log's last line about it";
}

void find_memory(const KernelLog* log, SystemReport& report) {
  // "Memory: 213404K/262144K available (...)", mm/mm_init.c: what the kernel was given.
  const auto total = newest(log, [](std::string_view text) -> std::optional<std::string> {
    const std::size_t slash = text.find("K/");
    if (!text.starts_with("Memory: ") || slash == std::string_view::npos) {
      return std::nullopt;
    }
    text.remove_prefix(slash + 2);
    return std::string(text.substr(0, text.find('K')));
  });
  std::uint64_t kilobytes = 0;
  if (total && std::from_chars(total->data(), total->data() + total->size(), kilobytes).ec == std::errc() &&
      kilobytes < (std::uint64_t{1} << 42)) {
    report.memory_kib = kilobytes;
  } else {
    report.unknown.emplace_back("memory: the log does not have the line that says it");
  }
}

void find_tasks_and_cpus(KernelSession& session, bool count_tasks, SystemReport& report) {
  Kernel& kernel = *session.kernel();
  std::vector<KernelTask> tasks;
  const auto none = no_tasks_in(session.guest());
  const TaskLayout* layout = count_tasks && !none ? kernel.task_layout() : nullptr;
  if (none) {
    report.unknown.push_back("tasks: " + *none);
  } else if (layout == nullptr) {
    report.unknown.push_back("tasks: " + kernel.no_task_layout());
  } else {
    TaskListing listing = read_whole_list(session, *layout);
    if (listing.problems.empty()) {
      report.tasks = listing.tasks.size();
    } else {
      report.unknown.push_back("tasks: " + listing.problems.front());
    }
    tasks = std::move(listing.tasks);
  }
  const CpuCounts counts = read_cpu_counts(kernel.code(), session.memory(), session.arch().word_size);
  report.cpus_online = counts.online;
  if (counts.present) {
    report.cpus = counts.present;
    report.cpus_by = "__cpu_present_mask";
  } else if (const auto threads = cpus_by_threads(tasks)) {
    report.cpus = threads;
    report.cpus_by = "the threads cpuhp/N";
  } else {
    report.unknown.emplace_back("cpus: kallsyms has no __cpu_present_mask, and no thread cpuhp/N was found");
  }
  if (!report.cpus_online) {
    report.unknown.emplace_back("cpus online: kallsyms has no __cpu_online_mask");
  }
}

void find_paging(KernelSession& session, SystemReport& report) {
  const auto& own = session.kernel()->kernel_translations();
  if (session.tables()) {
    report.paging = fmt::format("{} ({})", session.tables()->translation()->describe(), session.tables()->how);
    return;
  }
  for (const DecodedVcpu& vcpu : session.vcpus()) {
    if (vcpu.cpu && !vcpu.cpu->translations.empty()) {
      const bool pv = session.guest().identity().type == GuestType::pv;
      report.paging = (pv ? "PV, " : "") + vcpu.cpu->translations.front()->describe();
      return;
    }
  }
  if (!own.empty()) {
    report.paging = own.front()->describe();
  } else {
    report.unknown.emplace_back("page tables: no vCPU has registers");
  }
}

}  // namespace

std::vector<std::string> taint_names(std::uint64_t mask) {
  std::vector<std::string> names;
  for (std::size_t bit = 0; bit < kTaints.size(); ++bit) {
    if ((mask >> bit & 1U) != 0) {
      names.push_back(fmt::format("{} ({})", kTaints.at(bit).first, kTaints.at(bit).second));
    }
  }
  if (mask >> kTaints.size() != 0) {
    names.push_back(fmt::format("{:#x} (unknown)", mask >> kTaints.size() << kTaints.size()));
  }
  return names;
}

std::string taint_letters(std::uint64_t mask) {
  std::string letters;
  for (std::size_t bit = 0; bit < kTaints.size(); ++bit) {
    if ((mask >> bit & 1U) != 0) {
      letters.push_back(kTaints.at(bit).first);
    }
  }
  return letters;
}

SystemReport read_system_facts(KernelSession& session, const KernelLog* log, bool count_tasks) {
  SystemReport report;
  if (session.kernel() == nullptr) {
    return report;
  }
  find_paging(session, report);
  if (!session.kernel()->release()) {
    return report;  // no Linux that we know of
  }
  find_tasks_and_cpus(session, count_tasks, report);
  find_command_line(session, log, report);
  if (log != nullptr && !log->records.empty()) {
    report.uptime_ns = log->records.back().time_ns;
  } else {
    report.unknown.emplace_back("uptime: there is no log whose last record would tell");
  }
  find_memory(log, report);
  find_taint(session, log, report);
  return report;
}

}  // namespace xstack
