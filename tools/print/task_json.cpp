// SPDX-License-Identifier: LGPL-2.1-or-later
#include <nlohmann/json.hpp>
#include <string>

#include "base/text.h"
#include "tools/print/json_parts.h"
#include "tools/print/task_printer.h"

namespace xstack {
namespace {

using namespace json_parts;

void put_trace(Json& out, const TaskReport& task) {
  put(out, "no_trace", task.no_trace);
  if (!task.end && task.frames.empty()) {
    return;
  }
  out["frames"] = Json::array();
  for (const NamedFrame& frame : task.frames) {
    out["frames"].push_back(json_parts::frame(frame));
  }
  if (task.end) {
    put_end(out, *task.end);
  }
}

Json task_json(const TaskReport& task, bool with_trace) {
  Json out;
  out["pid"] = task.pid;
  out["tgid"] = task.tgid;
  out["comm"] = escape(task.comm);
  if (task.state) {
    out["state"] = std::string(1, *task.state);
  }
  if (task.parent) {
    out["ppid"] = *task.parent;
  }
  if (task.cpu) {
    out["cpu"] = *task.cpu;
  }
  if (task.kernel_thread) {
    out["kernel_thread"] = *task.kernel_thread;
  }
  if (task.idle) {
    out["idle"] = true;
  }
  out["structure"] = hex(task.structure.value);
  if (task.vcpu) {
    out["vcpu"] = *task.vcpu;
  }
  if (task.registers) {
    put_cpu(out, *task.registers);
  }
  if (with_trace) {
    put_trace(out, task);
  }
  return out;
}

Json group_json(const TasksReport& report, const TaskGroup& group) {
  Json out;
  const TaskReport& first = report.tasks[group.front()];
  out["count"] = group.size();
  if (first.state && !first.vcpu) {
    out["state"] = std::string(1, *first.state);
  }
  out["pids"] = Json::array();
  for (const std::size_t i : group) {
    out["pids"].push_back(report.tasks[i].pid);
  }
  put_trace(out, first);
  return out;
}

}  // namespace

std::string print_tasks_json(const TasksReport& report) {
  Json out;
  out["xstack"] = 1;
  out["guest"] = json_parts::guest(report.guest);
  out["listed"] = report.listed;
  out["tasks"] = Json::array();
  for (const TaskReport& task : report.tasks) {
    out["tasks"].push_back(task_json(task, !report.groups));
  }
  if (report.groups) {
    out["groups"] = Json::array();
    for (const TaskGroup& group : *report.groups) {
      out["groups"].push_back(group_json(report, group));
    }
  }
  out["capture"] = Json::object();
  if (report.pause_us) {
    out["capture"]["pause_us"] = *report.pause_us;
  }
  out["partial"] = report.partial;
  out["warnings"] = strings(report.warnings);
  return dump(out);
}

}  // namespace xstack
