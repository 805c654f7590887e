// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "boards/fact.h"
#include "kconfig/rules.h"

namespace xstack {

/// What a board asks of the kernel of its dom0: a ConfigRule that owns its text.
struct BoardRule {
  std::vector<std::string> options;  ///< one to four; one of them is enough
  RuleWeight weight{};
  RuleWant want{};
  std::string reason;
  std::string fact;
  std::string fix;
  std::string implied_by;
};

/// One file as it stands, before what it includes is looked up.
struct BoardFile {
  std::string name;
  std::string title;
  bool is_part = false;  ///< to be included by others; not shown in the table
  std::vector<std::string> includes;
  std::map<std::string, Fact, std::less<>> facts;
  std::vector<BoardRule> rules;
};

/// The text of a file, parsed. Errors: bad_format, with what is wrong and where; too_large.
[[nodiscard]] Result<BoardFile> parse_board_file(std::string_view text);

/// No file is larger.
inline constexpr std::size_t kMaxBoardFile = 1U << 20;

/// Names that a file may have and may include: lower-case letters, digits, `-`, `_`, `+` and dots inside, at most 64.
[[nodiscard]] bool is_board_name(std::string_view name);

/// A profile with all that it includes: what is known of a board, of its dom0, and of every domU on it.
struct Board {
  std::string name;
  std::string title;
  std::string origin;              ///< the file's path, or "shipped with xstack"
  std::vector<std::string> parts;  ///< what it includes, the outermost first
  std::map<std::string, Fact, std::less<>> facts;
  std::vector<BoardRule> rules;

  [[nodiscard]] const Fact* fact(std::string_view key) const;
  // The value of a fact; nothing when it is absent. Keys are those of fact_table().
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view key) const;
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  [[nodiscard]] std::vector<std::uint64_t> numbers(std::string_view key) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;
};

/// The rules as check_role() takes them: for dom0 on the board's architecture. They point into `board`.
[[nodiscard]] std::vector<ConfigRule> config_rules(const Board& board);

}  // namespace xstack
