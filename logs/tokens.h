// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "logs/report.h"

namespace xstack::logs {

/// "name+0x1/0x2" at the front, taken; Xen's "name+0/0x2" and "name+0x1/2" too.
[[nodiscard]] bool take_symbol(std::string_view& text, Frame& frame);

/// "[module]", or "[module 0123..build id]", at the front or behind blanks: taken into `frame` when it is there.
void take_module(std::string_view& text, Frame& frame);

/// A line of a Linux call trace, without its prefix, in any form there has been: " name+0x1/0x2 [module] (C)",
/// " ? name+..", " [<addr>] name+..", arm32's "[<addr>] (name) from [<addr>] (name+..)" and " name from name+..",
/// "Function entered at [<addr>] from [<addr>]", " 0xaddr". Appends what it holds, callee before caller.
struct TraceLine {
  bool is_frame = false;
  bool from = false;  ///< the arm32 form: the first frame appended is the callee, the second its caller
};
[[nodiscard]] TraceLine parse_trace_line(std::string_view text, std::vector<Frame>& frames);

/// A line of "Xen call trace:", "   [<addr>] R file.c#name+0x1/0x2".
[[nodiscard]] bool parse_xen_trace_line(std::string_view text, std::vector<Frame>& frames);

using Registers = std::vector<std::pair<std::string, std::uint64_t>>;

/// Is there one of this name?
[[nodiscard]] bool has_register(const Registers& registers, std::string_view name);

/// A line of registers, Linux's or Xen's, of any architecture. Appends to `out`; a name that is there already keeps its
/// value. False when the line is none.
[[nodiscard]] bool parse_register_line(std::string_view text, Registers& out);

/// A row of words and nothing else: 8 or 16 digits each, all the same. Appends them; returns the bytes of one, or 0.
[[nodiscard]] unsigned parse_word_row(std::string_view text, std::vector<std::uint64_t>& out);

}  // namespace xstack::logs
