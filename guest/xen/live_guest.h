// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "guest/guest.h"
#include "guest/xen/libraries.h"

namespace xstack::xen {

/// A live domain as a guest. What open_domain() does once the libraries are there; tests call it with libraries of
/// their own.
[[nodiscard]] Result<std::unique_ptr<Guest>> open_live_guest(std::shared_ptr<Host> host, const std::string& domain);

}  // namespace xstack::xen
