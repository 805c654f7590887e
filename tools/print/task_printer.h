// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "tools/print/printer.h"
#include "tools/task_report.h"

namespace xstack {

/// For people: each task with its trace, or each group of equal traces, or a table when no traces were asked for.
[[nodiscard]] std::string print_tasks_text(const TasksReport& report, const View& view);

/// JSON, version 1: tools/schema/xstack-tasks-1.json.
[[nodiscard]] std::string print_tasks_json(const TasksReport& report);

}  // namespace xstack
