// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <string>

#include "tools/cli/commands.h"

namespace xstack {

Result<ExitStatus> run_gdb(const Invocation& invocation) {
  const auto& options = invocation.options;
  auto guest = open_guest(invocation);
  if (!guest) {
    return tl::unexpected(guest.error());
  }
  GdbRequest request;
  request.kernel = kernel_request(options);
  request.port = options.port;
  request.tasks = options.tasks;
  request.pause = !options.live;
  request.listening = [&](std::uint16_t port) {
    complain(invocation.console, fmt::format("waiting for a debugger on 127.0.0.1: target remote :{}", port));
  };
  const auto report = invocation.backend.serve_gdb(**guest, request);
  if (!report) {
    return tl::unexpected(report.error());
  }
  for (const std::string& warning : report->warnings) {
    complain(invocation.console, warning);
  }
  return ExitStatus::whole;
}

}  // namespace xstack
