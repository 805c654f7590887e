// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>

#include "guest/guest.h"
#include "tools/report.h"

namespace xstack {

/// What Xen's log says about the guest: asked of a live domain, taken from a capture's facts, or why there is none.
void tell_hypervisor_log(Guest& guest, GuestReport& report);

/// The same as a capture carries it, fact "hypervisor_log": one JSON object; empty when there is none.
[[nodiscard]] std::map<std::string, std::string> hypervisor_facts(const GuestReport& report);

}  // namespace xstack
