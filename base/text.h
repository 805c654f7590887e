// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

namespace xstack {

/// Text that somebody else wrote (a guest, a dump, a log), made safe for a terminal: control characters, DEL, bytes
/// that are not valid UTF-8, and the Unicode controls that reorder or hide text become \xNN or \u{N}; a backslash is
/// doubled.
[[nodiscard]] std::string escape(std::string_view text);

/// The same for lines whose form others know (a kernel's log): tabs and backslashes stay as they are. Nothing in the
/// result can harm a terminal, but "\xNN" in it may be the author's own.
[[nodiscard]] std::string escape_line(std::string_view text);

}  // namespace xstack
