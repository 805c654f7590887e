// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/error.h"
#include "guest/guest.h"
#include "tools/kernel_session.h"

namespace xstack {

/// How a debugger is to reach a guest.
struct GdbRequest {
  KernelRequest kernel;
  std::optional<std::uint16_t> port;  ///< 0 for any; absent: standard input and output
  std::string address = "127.0.0.1";  ///< to listen on
  bool tasks = false;                 ///< a thread for each task that no vCPU runs, besides the vCPUs
  bool pause = true;                  ///< false: a running guest runs on while it is looked at
  /// Says where a debugger can connect, once it can, and whether others than this machine can as well.
  std::function<void(const std::string& address, std::uint16_t port, bool loopback)> listening;
};

/// What came of it.
struct GdbReport {
  std::size_t vcpus = 0;
  std::size_t tasks = 0;
  std::vector<std::string> warnings;
};

/// Serves one debugger: registers, memory through the guest's page tables, vCPUs and tasks as threads, read-only. A
/// running guest stands still from the moment the debugger connects until it goes, and runs on whatever ends the
/// session. Errors: as open, io, interrupted; not_found when there is no vCPU with registers.
[[nodiscard]] Result<GdbReport> serve_gdb(Guest& guest, const GdbRequest& request);

}  // namespace xstack
