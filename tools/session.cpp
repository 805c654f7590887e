// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/session.h"

namespace xstack {

Result<Report> make_report(Guest& guest, const ReportRequest& request) {
  (void)guest;
  (void)request;
  return fail(Errc::unsupported, "not built yet");
}

}  // namespace xstack
