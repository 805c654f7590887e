// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "logs/report.h"

namespace xstack::logs {

/// A short name of what happened that is the same in every run: "KIND-" and 16 hexadecimal digits, made from the kind
/// and the names of the innermost functions, without offsets, addresses, numbers, times, tasks, and the suffixes that
/// compilers add. Without named frames the title stands in, its numbers left out.
[[nodiscard]] std::string signature_of(const Report& report);

/// A function's name without what differs from build to build: ".constprop.0", ".isra.0", ".cold", "__pfx_".
[[nodiscard]] std::string_view plain_function(std::string_view name);

}  // namespace xstack::logs
