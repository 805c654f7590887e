// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/commands.h"

namespace xstack {
namespace {

/// So much stack gives a first impression and leaves the traces of two vCPUs on one screen.
constexpr std::uint64_t kShortStack = 4;

}  // namespace

Result<ExitStatus> run_trace(const Invocation& invocation) {
  const auto& options = invocation.options;
  ReportRequest request = common_request(options);
  request.lines = line_sources(options);
  View view;
  view.all_registers = options.all_registers;
  ask_for_words(options, kShortStack, request, view);
  // JSON is for programs: it has the words of the stack when somebody asked for them.
  if (options.json && !options.lines && !options.stack_pages && !options.stack_trace) {
    request.stack_bytes.reset();
  }
  return report_and_print(invocation, request, view);
}

}  // namespace xstack
