// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/cli/options.h"
#include "tools/cli/run.h"
#include "tools/print/printer.h"

namespace xstack {

/// Everything that a subcommand works with. Borrowed.
struct Invocation {
  const Options& options;
  const Backend& backend;
  const Console& console;
  /// Set when the guest is opened: what is missing of a file that was cut short. The answer is a partial one then,
  /// whatever the command found.
  std::optional<std::string>* cut_short = nullptr;
};

// One subcommand each. An error ends the program with exit_status() of its code.
[[nodiscard]] Result<ExitStatus> run_trace(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_regs(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_stack(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_tasks(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_info(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_dmesg(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_symbols(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_modules(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_gdb(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_dump(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_capture(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_log(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_check_config(const Invocation& invocation);
[[nodiscard]] Result<ExitStatus> run_boards(const Invocation& invocation);

// What they share.

/// Opens the domain or the file that the options name.
[[nodiscard]] Result<std::unique_ptr<Guest>> open_guest(const Invocation& invocation);

/// The part of a request that every subcommand takes from the options the same way.
[[nodiscard]] ReportRequest common_request(const Options& options);

/// What the options say of the kernel, for commands that make no report.
[[nodiscard]] KernelRequest kernel_request(const Options& options);

/// Where the options let source lines come from.
[[nodiscard]] LineSources line_sources(const Options& options);

/// Asks for the stack and the memory that the options want, `default_lines` of stack when they do not say (absent: all
/// there is), and sets the view's formats to match.
void ask_for_words(const Options& options, std::optional<std::uint64_t> default_lines, ReportRequest& request,
                   View& view);

/// Makes the report and prints it. The result is `whole` or `partial`.
[[nodiscard]] Result<ExitStatus> report_and_print(const Invocation& invocation, const ReportRequest& request,
                                                  View view);

/// Writes one line on the console's error side, escaped. What goes wrong there is nobody's to hear.
void complain(const Console& console, std::string_view message);

/// What makes a report partial, in one line.
[[nodiscard]] std::string what_is_missing(const std::vector<std::string>& warnings);

/// Why there is no answer, when what was read of `guest` is not `whole` since it went away meanwhile.
[[nodiscard]] std::optional<Error> went_away(const Guest& guest, bool whole);

/// Writes what a command found, and says on the error side what of it is missing. The result is `whole` or `partial`.
[[nodiscard]] ExitStatus answer(const Console& console, const std::string& text, bool partial,
                                const std::vector<std::string>& warnings);

/// Are colours wanted where this writes?
[[nodiscard]] bool wants_color(const Invocation& invocation);

}  // namespace xstack
