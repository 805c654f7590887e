// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kconfig/kernel_config.h"
#include "kconfig/rules.h"

namespace xstack {

enum class RuleVerdict : std::uint8_t {
  met,
  missing,
  unknown,  ///< the configuration does not say
  noted,    ///< of a harmless rule: its value is shown, nothing follows from it
};

[[nodiscard]] const char* to_string(RuleVerdict verdict);

/// A rule held against a configuration.
struct CheckedRule {
  const ConfigRule* rule = nullptr;
  RuleVerdict verdict = RuleVerdict::unknown;
  std::string_view option;           ///< of the rule's names the one that decided, or the first
  std::optional<std::string> value;  ///< of that option; foreign text
};

enum class RoleVerdict : std::uint8_t {
  fit,         ///< all that is required and recommended is there
  lacks_some,  ///< something recommended is missing, nothing required
  undecided,   ///< nothing required is missing, but whether all of it is there is not said
  unfit,       ///< something required is missing
};

[[nodiscard]] const char* to_string(RoleVerdict verdict);

struct RoleCheck {
  ConfigRole role{};
  RoleVerdict verdict = RoleVerdict::fit;
  std::vector<CheckedRule> rules;
};

/// Holds `config` against the rules of `role` for `arch`, and against `more` (a board's) that name the role and the
/// architecture. One of `more` replaces a rule about the same option, and must outlive the result.
[[nodiscard]] RoleCheck check_role(const KernelConfig& config, ConfigArch arch, ConfigRole role,
                                   std::span<const ConfigRule> more = {});

/// A fragment for scripts/kconfig/merge_config.sh that brings about what is missing or unknown, each line once, with
/// the reasons as comments. What no fragment can do is a comment that says so.
[[nodiscard]] std::string config_fragment(const KernelConfig& config, std::span<const RoleCheck> checks);

}  // namespace xstack
