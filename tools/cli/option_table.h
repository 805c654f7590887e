// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace xstack {

/// The subcommands. Their order is the order in which the help shows them.
enum class Command : std::uint8_t {
  trace,
  regs,
  stack,
  tasks,
  info,
  dmesg,
  modules,
  symbols,
  capture,
  dump,
  gdb,
  log,
  check_config,
  boards
};

struct CommandInfo {
  Command command;
  const char* name;
  const char* summary;
};

[[nodiscard]] std::span<const CommandInfo> command_table();

/// The subcommand of that name.
[[nodiscard]] std::optional<Command> find_command(std::string_view name);

[[nodiscard]] const char* to_string(Command command);

/// One option: the single source for parsing, help, and what each subcommand accepts. The man page and the completions
/// are held against the help by a test.
struct OptionInfo {
  char short_name;         ///< 0 for none
  const char* long_name;   ///< without dashes
  const char* value_name;  ///< nullptr for a flag
  const char* group;       ///< heading in the help
  const char* help;
  std::uint32_t commands;  ///< bit 1 << Command for each that accepts it
};

[[nodiscard]] std::span<const OptionInfo> option_table();

/// "-n, --display-stack-pages": as messages name the option.
[[nodiscard]] std::string display_name(const OptionInfo& option);

/// What `--help` prints.
[[nodiscard]] std::string help_text();

/// What `--version` prints: the version and what is built in.
[[nodiscard]] std::string version_text();

}  // namespace xstack
