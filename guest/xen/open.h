// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "guest/guest.h"

namespace xstack {

/// Opens a live domain by name, domid or UUID. The libraries of Xen are loaded at run time. Errors: no_access (no Xen,
/// no privilege, library missing), no_such_domain, unsupported (domain 0; a build without XSTACK_WITH_XEN), io.
[[nodiscard]] Result<std::unique_ptr<Guest>> open_domain(const std::string& domain);

}  // namespace xstack
