// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "base/text.h"
#include "tools/cli/commands.h"

namespace xstack {

Result<ExitStatus> run_capture(const Invocation& invocation) {
  const auto& options = invocation.options;
  auto guest = open_guest(invocation);
  if (!guest) {
    return tl::unexpected(guest.error());
  }
  ReportRequest request = common_request(options);
  request.stack_bytes = 0;  // all of the stacks: what people look at first in a capture
  request.log = options.log;
  request.tasks = options.tasks;
  const auto report = invocation.backend.write_capture(**guest, request, *options.output);
  if (!report) {
    return tl::unexpected(report.error());
  }
  std::string line = fmt::format("{}: {} vCPUs", escape(*options.output), report->vcpus.size());
  std::error_code no_size;
  if (const auto size = std::filesystem::file_size(*options.output, no_size); !no_size) {
    line += fmt::format(", {} KiB", (size + 1023) / 1024);
  }
  if (options.verbose && report->capture.pause_us) {
    line += fmt::format(", paused for {} us", *report->capture.pause_us);
  }
  if (options.verbose && report->capture.pages) {
    line += fmt::format(", {} pages mapped", *report->capture.pages);
  }
  if (auto written = invocation.console.out.write(line + "\n"); !written) {
    return tl::unexpected(written.error());
  }
  if (report->partial) {
    complain(invocation.console, "a partial capture: " + what_is_missing(report->warnings));
    return ExitStatus::partial;
  }
  return ExitStatus::whole;
}

}  // namespace xstack
