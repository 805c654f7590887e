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
  request.address = options.listen;
  request.tasks = options.tasks;
  request.pause = !options.live;
  request.listening = [&](const std::string& address, std::uint16_t port, bool loopback) {
    if (!loopback) {
      complain(invocation.console,
               fmt::format("whoever reaches {} can read all of the guest's memory: there is neither "
                           "a password nor encryption",
                           address));
    }
    complain(invocation.console,
             fmt::format("waiting for a debugger on {0}: target remote {1}:{2}", address,
                         address.find(':') == std::string::npos ? address : "[" + address + "]", port));
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
