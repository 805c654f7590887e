// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

#include "logs/report.h"

namespace xstack::logs {

/// A line (or a part of one, where two writers met in it) without what stands before its text.
struct Line {
  Origin origin;
  std::string_view text;
  std::string_view time;     ///< the kernel's or Xen's own, else the one put in front; as printed, without brackets
  std::string_view caller;   ///< "T12", "C0": CONFIG_PRINTK_CALLER
  bool kernel_time = false;  ///< `time` is printk's or Xen's
  bool marked = false;       ///< something says that this begins a message: a time, a priority, a writer
};

/// Takes off what consoles, Xen, kernels, loggers and CI systems put before a line, in any order and number: escape
/// sequences, dates and times in brackets or bare, "(XEN) " with its five forms of time, "(d3) ", "DOM1: ", "<4>",
/// "[   12.345678]", "[T1]", "kern  :err   : ", syslog's host and program, /dev/kmsg's fields, LAVA's JSON. `line`
/// is without its line end.
[[nodiscard]] Line strip_prefix(std::string_view line);

/// Where in `text` (already without its prefix) another writer's line begins: "(XEN) ", "(d1) " or a printk time in
/// the middle of it; npos when nowhere.
[[nodiscard]] std::size_t find_second_line(std::string_view text);

}  // namespace xstack::logs
