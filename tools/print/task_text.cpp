// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <string>

#include "base/text.h"
#include "tools/print/task_printer.h"
#include "tools/print/text.h"

namespace xstack {
namespace {

std::string name_of(const TaskReport& task) {
  return fmt::format("{} ({})", task.pid, escape(task.comm));
}

std::string title(const TaskReport& task) {
  std::string out =
      fmt::format("task {}: {}", name_of(task), task.state ? std::string(1, *task.state) : "state unknown");
  if (task.vcpu) {
    out += fmt::format(", running on vCPU {}", *task.vcpu);
  } else if (task.cpu) {
    out += fmt::format(", CPU {}", *task.cpu);
  }
  if (task.idle) {
    out += ", idle task";
  } else if (task.pid != task.tgid) {
    out += fmt::format(", thread of {}", task.tgid);
  } else if (task.kernel_thread.value_or(false)) {
    out += ", kernel thread";
  }
  if (task.parent && !task.kernel_thread.value_or(false) && !task.idle) {
    out += fmt::format(", parent {}", *task.parent);
  }
  return out;
}

/// The trace of a task, or why there is none.
std::string trace(const TaskReport& task, unsigned word_size, const Style& style) {
  if (task.no_trace) {
    return fmt::format("  No trace: {}\n", escape(*task.no_trace));
  }
  return text::trace(task.frames, task.end, word_size, style);
}

std::string table(const TasksReport& report, const Style& style) {
  std::string out = style.title("    PID    TGID    PPID S  CPU  COMM") + "\n";
  for (const TaskReport& task : report.tasks) {
    const auto number = [](const std::optional<std::uint32_t>& n) { return n ? fmt::format("{}", *n) : "?"; };
    out +=
        fmt::format("{:>7} {:>7} {:>7} {} {:>4}{} {}\n", task.pid, task.tgid, number(task.parent),
                    task.state.value_or('?'), number(task.vcpu ? std::optional<std::uint32_t>(*task.vcpu) : task.cpu),
                    task.vcpu ? '*' : ' ', escape(task.comm));
  }
  return out + "(*: the vCPU that runs the task; elsewhere the CPU that it ran on last)\n";
}

std::string group_text(const TasksReport& report, const TaskGroup& group, unsigned word_size, const Style& style) {
  const TaskReport& first = report.tasks[group.front()];
  if (group.size() == 1) {
    return style.title(title(first)) + "\n" + trace(first, word_size, style);
  }
  std::string out = style.title(fmt::format("{} tasks: {}", group.size(),
                                            first.vcpu    ? "running"
                                            : first.state ? std::string(1, *first.state)
                                                          : "state unknown")) +
                    "\n";
  constexpr std::size_t kLine = 100;
  std::string line = " ";
  for (const std::size_t i : group) {
    const std::string name = name_of(report.tasks[i]);
    if (line.size() + name.size() + 2 > kLine) {
      out += line + "\n";
      line = " ";
    }
    line += " " + name;
  }
  return out + line + "\n" + trace(first, word_size, style);
}

}  // namespace

std::string print_tasks_text(const TasksReport& report, const View& view) {
  const Style style(view.color);
  const unsigned word_size = arch_ops(report.guest.arch).word_size;
  std::string out = text::header(report.guest, view, style);
  out += fmt::format("{} tasks{}\n", report.listed,
                     report.tasks.size() != report.listed ? fmt::format(", {} shown", report.tasks.size()) : "");
  if (!report.traced) {
    out += "\n" + table(report, style);
  } else if (report.groups) {
    for (const TaskGroup& group : *report.groups) {
      out += "\n" + group_text(report, group, word_size, style);
    }
  } else {
    for (const TaskReport& task : report.tasks) {
      out += "\n" + style.title(title(task)) + "\n" + trace(task, word_size, style);
    }
  }
  for (std::size_t i = 0; i < report.warnings.size(); ++i) {
    out += (i == 0 ? "\n" : "") + style.alarm("warning: ") + escape(report.warnings[i]) + "\n";
  }
  if (view.verbose) {
    out += report.pause_us ? fmt::format("\nThe guest was paused for {} us.\n", *report.pause_us)
                           : "\nThe guest was not paused.\n";
  }
  return out;
}

}  // namespace xstack
