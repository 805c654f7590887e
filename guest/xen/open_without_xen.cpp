// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/open.h"

namespace xstack {

Result<std::unique_ptr<Guest>> open_domain(const std::string& domain) {
  (void)domain;
  return fail(Errc::unsupported,
              "this xstack was built without live domains (XSTACK_WITH_XEN=OFF): --core reads dumps");
}

}  // namespace xstack
