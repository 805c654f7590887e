// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string_view>

#include "logs/kind.h"

namespace xstack::logs {

/// What a line that begins a report says.
struct Start {
  Kind kind;
  std::string_view title;  ///< a part of the line
};

/// Does this line, without its prefix, begin a report of Linux?
[[nodiscard]] std::optional<Start> linux_start(std::string_view text);

/// The same for what Xen writes.
[[nodiscard]] std::optional<Start> xen_start(std::string_view text);

/// Does this line name the cause of the die() that follows? arm's "Unhandled fault: ..", before "Internal error: : 81b
/// [#1]" (arch/arm/mm/fault.c, arm64's up to 4.16); of a program's fault nothing follows.
[[nodiscard]] bool is_cause(std::string_view text);

/// Lines that come right before a start and belong to its report: "---[ cut here ]---", "8<---", KASAN's rows of "=".
[[nodiscard]] bool is_lead_in(std::string_view text);

}  // namespace xstack::logs
