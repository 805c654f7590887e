// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include "tools/cli/commands.h"
#include "tools/print/log_printer.h"

namespace xstack {
namespace {

/// What a reader must know of a log that is not all there; empty when it is.
std::string what_is_missing_of(const KernelLog& log) {
  std::string out;
  const auto add = [&](const std::string& part) { out += (out.empty() ? "" : "; ") + part; };
  if (log.unreadable != 0) {
    add(fmt::format("{} records cannot be read", log.unreadable));
  }
  for (const std::string& warning : log.warnings) {
    add(warning);
  }
  return out;
}

}  // namespace

Result<ExitStatus> run_dmesg(const Invocation& invocation) {
  const Options& options = invocation.options;
  auto guest = open_guest(invocation);
  if (!guest) {
    return tl::unexpected(guest.error());
  }
  const auto log = invocation.backend.read_log(**guest, kernel_request(options));
  if (auto lost = went_away(**guest, log && what_is_missing_of(*log).empty())) {
    return tl::unexpected(std::move(*lost));
  }
  if (!log) {
    return tl::unexpected(log.error());
  }
  const LogView view{options.levels, options.raw, options.decode};
  if (auto written = invocation.console.out.write(options.json ? print_log_json(*log, view) : print_log(*log, view));
      !written) {
    complain(invocation.console, written.error().message);
    return ExitStatus::partial;
  }
  if (options.verbose) {
    complain(invocation.console,
             fmt::format(
                 "{} records, {}{}", log->records.size(), log->found_by,
                 log->lost.value_or(0) != 0 ? fmt::format(", {} older ones overwritten", *log->lost) : std::string()));
  }
  if (log->unfinished != 0) {
    complain(invocation.console, fmt::format("{} records were just being written and are left out", log->unfinished));
  }
  if (const std::string missing = what_is_missing_of(*log); !missing.empty()) {
    complain(invocation.console, "a partial answer: " + missing);
    return ExitStatus::partial;
  }
  return ExitStatus::whole;
}

}  // namespace xstack
