// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "kconfig/kernel_config.h"

namespace xstack {

/// What a kernel is to be.
enum class ConfigRole : std::uint8_t {
  dom0,   ///< Xen's first domain: it has the toolstack, the devices and the backends
  domu,   ///< a guest with paravirtual devices
  trace,  ///< a guest whose traces have names, with no file but its memory
};

inline constexpr std::array kConfigRoles = {ConfigRole::dom0, ConfigRole::domu, ConfigRole::trace};

[[nodiscard]] const char* to_string(ConfigRole role);
/// "dom0", "domu" (or "domU"), "trace".
[[nodiscard]] std::optional<ConfigRole> find_role(std::string_view name);

enum class RuleWeight : std::uint8_t {
  required,     ///< without it the role does not work
  recommended,  ///< without it a part does not work
  harmless,     ///< right either way; the reason says what it changes
};

[[nodiscard]] const char* to_string(RuleWeight weight);

/// What the option's value should be.
enum class RuleWant : std::uint8_t {
  built_in,  ///< y
  enabled,   ///< y or m
  off,       ///< n
  zero,      ///< the number 0
};

/// "y", "y or m", "n", "0".
[[nodiscard]] const char* to_string(RuleWant want);

/// One thing that a role asks of a configuration.
struct ConfigRule {
  std::uint8_t roles;  ///< bit 1 << ConfigRole
  std::uint8_t archs;  ///< bit 1 << ConfigArch
  RuleWeight weight;
  RuleWant want;
  /// Without CONFIG_. One of them is enough; the first is the name of today, or the best of several ways. Unused ones
  /// are empty.
  std::array<std::string_view, 4> options;
  std::string_view reason;
  std::string_view fact;  ///< what Kconfig says, with file and symbol in Linux's tree
  /// Lines for a fragment, as merge_config.sh takes them; empty when no line of a fragment can bring it about.
  std::string_view fix;
  /// An option that selects or defines this one wherever it is y: then it need not be mentioned.
  std::string_view implied_by = {};
  /// The fix for kernels before this age (KernelConfig::age()), when it was another.
  unsigned fix_since = 0;
  std::string_view old_fix = {};
  /// The rule is for kernels before this age, and before it is known; or for those of this age and later alone.
  unsigned before = 0;
  unsigned since = 0;
};

/// All rules, in the order in which they are shown.
[[nodiscard]] std::span<const ConfigRule> config_rules();

}  // namespace xstack
