// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace xstack::logs {

/// Short pieces of text of which every line that begins a report, or says something worth knowing outside of one (a
/// kernel's release, how far the boot has come), holds at least one. Chosen to be rare elsewhere.
[[nodiscard]] std::span<const std::string_view> anchors();

/// The first position at or behind `from` where an anchor begins, or npos; the line ends between are added to
/// `line_ends`. Reads each byte about once, sixteen or more at a time where the processor can.
[[nodiscard]] std::size_t find_anchor(std::string_view text, std::size_t from, std::uint64_t& line_ends);

/// How often `text` has `c`.
[[nodiscard]] std::size_t count_of(char c, std::string_view text);

/// One way to do both; those that this processor can do, the best last. For tests: the two above take the last.
struct Search {
  const char* name;
  std::size_t (*find)(std::string_view text, std::size_t from, std::uint64_t& line_ends);
  std::size_t (*count)(char c, std::string_view text);
};
[[nodiscard]] std::vector<Search> searches();

}  // namespace xstack::logs
