// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/commands.h"

namespace xstack {

Result<ExitStatus> run_stack(const Invocation& invocation) {
  ReportRequest request = common_request(invocation.options);
  request.trace = false;
  View view;
  view.registers = false;
  view.trace = false;
  ask_for_words(invocation.options, std::nullopt, request, view);
  return report_and_print(invocation, request, view);
}

}  // namespace xstack
