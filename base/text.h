// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

namespace xstack {

/// Text that somebody else wrote (a guest, a dump, a log), made safe for a terminal: control characters, DEL, bytes
/// that are not valid UTF-8, and the Unicode controls that reorder or hide text become \xNN or \u{N}; a backslash is
/// doubled.
[[nodiscard]] std::string escape(std::string_view text);

}  // namespace xstack
