// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/commands.h"

namespace xstack {

Result<ExitStatus> run_regs(const Invocation& invocation) {
  ReportRequest request = common_request(invocation.options);
  request.trace = false;
  request.kernel_facts = false;
  View view;
  view.all_registers = invocation.options.all_registers;
  view.stack = false;
  view.trace = false;
  return report_and_print(invocation, request, view);
}

}  // namespace xstack
