// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string>

#include "tools/cli/commands.h"
#include "tools/print/module_printer.h"

namespace xstack {

Result<ExitStatus> run_modules(const Invocation& invocation) {
  auto guest = open_guest(invocation);
  if (!guest) {
    return tl::unexpected(guest.error());
  }
  const auto report = invocation.backend.read_modules(**guest, kernel_request(invocation.options));
  if (auto lost = went_away(**guest, report && !report->partial)) {
    return tl::unexpected(std::move(*lost));
  }
  if (!report) {
    return tl::unexpected(report.error());
  }
  const std::string text = invocation.options.json ? print_modules_json(*report) : print_modules(*report);
  if (auto written = invocation.console.out.write(text); !written) {
    complain(invocation.console, written.error().message);
    return ExitStatus::partial;
  }
  if (report->partial) {
    complain(invocation.console,
             "a partial answer: " + (report->warnings.empty() ? std::string("where some modules lie is not known")
                                                              : report->warnings.front()));
    return ExitStatus::partial;
  }
  return ExitStatus::whole;
}

}  // namespace xstack
