// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/commands.h"

namespace xstack {

Result<ExitStatus> run_info(const Invocation& invocation) {
  ReportRequest request = common_request(invocation.options);
  request.trace = false;
  request.system_facts = true;
  View view;
  view.info = true;
  view.registers = false;
  view.stack = false;
  view.trace = false;
  return report_and_print(invocation, request, view);
}

}  // namespace xstack
