// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/commands.h"
#include "tools/print/task_printer.h"

namespace xstack {

Result<ExitStatus> run_tasks(const Invocation& invocation) {
  const auto& options = invocation.options;
  auto guest = open_guest(invocation);
  if (!guest) {
    return tl::unexpected(guest.error());
  }
  TasksRequest request;
  request.kernel = kernel_request(options);
  request.states = options.states;
  request.pids = options.pids;
  request.comms = options.comms;
  request.trace = options.trace;
  request.group = options.group;
  request.scan = options.scan;
  request.max_frames = options.max_frames;
  const auto report = invocation.backend.make_tasks_report(**guest, request);
  if (auto lost = went_away(**guest, report && !report->partial)) {
    return tl::unexpected(std::move(*lost));
  }
  if (!report) {
    return tl::unexpected(report.error());
  }
  View view;
  view.verbose = options.verbose;
  view.color = wants_color(invocation);
  const std::string text = options.json ? print_tasks_json(*report) : print_tasks_text(*report, view);
  return answer(invocation.console, text, report->partial, report->warnings);
}

}  // namespace xstack
