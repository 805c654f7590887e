// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "linux/kernel_log.h"

namespace xstack {

/// Which records are shown, and how.
struct LogView {
  std::uint8_t levels = 0xff;  ///< bit 1 << level for each that is shown
  bool raw = false;            ///< begin each line with "<6>", as the kernel does for syslog
  bool decode = false;         ///< begin each line with "kern  :info  : ", as dmesg -x does
};

/// Levels as dmesg --level takes them: names or numbers with commas between; "err+" is err and what is graver, "+err"
/// err and what is less so. Nothing when a name is none.
[[nodiscard]] std::optional<std::uint8_t> parse_levels(std::string_view text);

/// "emerg" .. "debug".
[[nodiscard]] const char* level_name(unsigned level);

/// dmesg's own format: "[    0.000000] text", each line of a record with its own time. Escaped but for tabs and
/// backslashes.
[[nodiscard]] std::string print_log(const KernelLog& log, const LogView& view);

/// One JSON object a line (tools/schema/xstack-log-1.json), one line a record.
[[nodiscard]] std::string print_log_json(const KernelLog& log, const LogView& view);

}  // namespace xstack
