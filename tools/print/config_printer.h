// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kconfig/check.h"

namespace xstack {

/// A configuration, held against rules: what `check-config` shows.
struct ConfigReport {
  std::string source;                  ///< the file or the guest, as the user named it
  std::string where;                   ///< FoundConfig::where
  std::optional<std::string> version;  ///< foreign text
  ConfigArch arch{};
  bool complete = false;
  std::optional<std::string> board;  ///< name and title of the profile
  std::vector<RoleCheck> roles;
  std::vector<std::string> notes = {};  ///< what the configuration means on that board; foreign text in parts
};

/// A table for each role. Reasons and facts stand with what is not met; with `verbose`, with all.
[[nodiscard]] std::string print_config(const ConfigReport& report, bool verbose);

/// xstack-config-1.json.
[[nodiscard]] std::string print_config_json(const ConfigReport& report);

}  // namespace xstack
