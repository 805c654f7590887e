// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace xstack {

/// A number as the command line takes them: decimal, or hexadecimal after 0x. Nothing for anything else: signs, blanks,
/// text after the number, values beyond 64 bits, and a leading zero (octal to some programs, decimal to others).
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace xstack
