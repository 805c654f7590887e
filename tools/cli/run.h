// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "guest/dump/open.h"
#include "guest/guest.h"
#include "tools/cli/exit_status.h"
#include "tools/cli/output.h"
#include "tools/report.h"
#include "tools/session.h"
#include "tools/session_config.h"
#include "tools/session_dump.h"
#include "tools/session_gdb.h"
#include "tools/session_log.h"
#include "tools/session_modules.h"
#include "tools/session_tasks.h"

namespace xstack {

/// What the commands are built on; tests put their own in.
struct Backend {
  std::function<Result<std::unique_ptr<Guest>>(const std::string&)> open_domain;
  std::function<Result<std::unique_ptr<Guest>>(const std::string&)> open_dump;
  std::function<Result<Report>(Guest&, const ReportRequest&)> make_report;
  std::function<Result<Report>(Guest&, const ReportRequest&, const std::string&)> write_capture;
  std::function<Result<KernelLog>(Guest&, const KernelRequest&)> read_log;
  std::function<Result<ModuleListReport>(Guest&, const KernelRequest&)> read_modules;
  std::function<Result<TasksReport>(Guest&, const TasksRequest&)> make_tasks_report;
  std::function<Result<DumpReport>(Guest&, const DumpRequest&)> write_dump;
  std::function<Result<GdbReport>(Guest&, const GdbRequest&)> serve_gdb;
  std::function<Result<FoundConfig>(Guest&, const KernelRequest&)> read_config;
  std::function<Result<std::unique_ptr<Guest>>(std::span<const RawFile>)> open_raw;
};

/// The real one: open_domain(), open_dump(), make_report(), write_capture() and so on.
[[nodiscard]] Backend real_backend();

/// Where a command writes, and whether colours are welcome there.
struct Console {
  Output& out;
  Output& err;
  bool color_terminal = false;  ///< `out` is a terminal that shows colours, and NO_COLOR is not set
  bool terminal = false;        ///< `out` is a terminal: raw text of others must not reach it
  int input = 0;                ///< descriptor of standard input
};

/// Runs one command line (without the program's name). Everything that goes wrong becomes one line on `err` that starts
/// with "xstack: " and an exit status. Does not throw.
[[nodiscard]] ExitStatus run(std::span<const std::string> arguments, const Backend& backend, const Console& console);

}  // namespace xstack
