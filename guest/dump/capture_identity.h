// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "guest/guest.h"

namespace xstack {

/// The identity note of a capture: who the guest is and in which state it was, as JSON.
[[nodiscard]] std::string identity_to_json(const GuestIdentity& identity);

/// The same back; `source` is "capture". What is missing or of the wrong type is absent. Errors: bad_format (no JSON
/// object, or no type of guest that is known).
[[nodiscard]] Result<GuestIdentity> identity_from_json(std::string_view text);

}  // namespace xstack
