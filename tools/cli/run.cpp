// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/run.h"

#include <fmt/format.h>

#include <exception>
#include <new>
#include <string>

#include "boards/board_store.h"
#include "guest/dump/open.h"
#include "guest/xen/open.h"
#include "tools/cli/commands.h"

namespace xstack {
namespace {

Result<ExitStatus> dispatch(const Invocation& invocation) {
  switch (invocation.options.command) {
    case Command::trace:
      return run_trace(invocation);
    case Command::regs:
      return run_regs(invocation);
    case Command::stack:
      return run_stack(invocation);
    case Command::tasks:
      return run_tasks(invocation);
    case Command::info:
      return run_info(invocation);
    case Command::dmesg:
      return run_dmesg(invocation);
    case Command::symbols:
      return run_symbols(invocation);
    case Command::modules:
      return run_modules(invocation);
    case Command::capture:
      return run_capture(invocation);
    case Command::gdb:
      return run_gdb(invocation);
    case Command::dump:
      return run_dump(invocation);
    case Command::log:
      return run_log(invocation);
    case Command::check_config:
      return run_check_config(invocation);
    case Command::boards:
      return run_boards(invocation);
  }
  return fail(Errc::usage, "no such subcommand");
}

Result<ExitStatus> run_parsed(std::span<const std::string> arguments, const Backend& backend, const Console& console) {
  auto options = parse_command_line(arguments);
  if (!options) {
    return tl::unexpected(options.error());
  }
  if (options->help || options->version) {
    const auto written = console.out.write(options->help ? help_text() : version_text());
    return written ? Result<ExitStatus>(ExitStatus::whole) : tl::unexpected(written.error());
  }
  if (options->board) {
    auto board = find_board(*options->board, default_board_folders());
    if (!board) {
      return tl::unexpected(board.error());
    }
    options->profile = std::make_shared<const Board>(std::move(*board));
  }
  std::optional<std::string> cut_short;
  auto status = dispatch({*options, backend, console, &cut_short});
  if (status && *status == ExitStatus::whole && cut_short) {
    complain(console, "a partial answer, since the file is not whole: " + *cut_short);
    return ExitStatus::partial;
  }
  if (!status && cut_short) {
    return fail(status.error().code, status.error().message + "; the file is not whole: " + *cut_short);
  }
  return status;
}

}  // namespace

Backend real_backend() {
  return {open_domain,       open_dump,  make_report, write_capture, read_log, read_modules,
          make_tasks_report, write_dump, serve_gdb,   read_config,   open_raw};
}

ExitStatus run(std::span<const std::string> arguments, const Backend& backend, const Console& console) {
  try {
    const auto status = run_parsed(arguments, backend, console);
    if (status) {
      return *status;
    }
    complain(console, status.error().message);
    return exit_status(status.error().code);
  } catch (const std::bad_alloc&) {
    complain(console, "out of memory");
  } catch (const std::exception& e) {
    complain(console, fmt::format("internal error: {}", e.what()));
  }
  return ExitStatus::not_understood;
}

}  // namespace xstack
