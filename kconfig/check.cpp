// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kconfig/check.h"

#include <fmt/format.h>

#include <algorithm>

namespace xstack {
namespace {

bool satisfies(RuleWant want, std::string_view value) {
  switch (want) {
    case RuleWant::built_in:
      return value == "y";
    case RuleWant::enabled:
      return value == "y" || value == "m";
    case RuleWant::off:
      return value == "n";
    case RuleWant::zero:
      return value == "0";
  }
  return false;
}

bool implied(const KernelConfig& config, const ConfigRule& rule) {
  const auto value = rule.implied_by.empty() ? std::nullopt : config.value(rule.implied_by);
  return value && satisfies(RuleWant::enabled, *value);
}

CheckedRule check(const KernelConfig& config, const ConfigRule& rule) {
  CheckedRule out{&rule, RuleVerdict::missing, rule.options.front(), std::nullopt};
  bool said = true;
  for (const std::string_view option : rule.options) {
    const auto value = option.empty() ? std::nullopt : config.value(option);
    said = said && (option.empty() || value);
    if (value && satisfies(rule.want, *value)) {
      out.verdict = RuleVerdict::met;
      out.option = option;
      out.value = std::string(*value);
      break;
    }
    if (value && !out.value && option == out.option) {
      out.value = std::string(*value);
    }
  }
  if (rule.weight == RuleWeight::harmless) {
    out.verdict = out.verdict == RuleVerdict::met || said ? RuleVerdict::noted : RuleVerdict::unknown;
  } else if (out.verdict == RuleVerdict::missing && !said) {
    out.verdict = implied(config, rule) ? RuleVerdict::met : RuleVerdict::unknown;
  }
  return out;
}

bool applies(const ConfigRule& rule, std::optional<unsigned> age, ConfigArch arch, ConfigRole role) {
  const bool young = rule.before != 0 && age && *age >= rule.before;
  const bool old = rule.since != 0 && (!age || *age < rule.since);
  return (rule.roles & (1U << static_cast<unsigned>(role))) != 0 &&
         (rule.archs & (1U << static_cast<unsigned>(arch))) != 0 && !young && !old;
}

void add_lines(std::string_view lines, std::vector<std::string_view>& done, std::string& out) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    if (std::ranges::find(done, line) == done.end()) {
      done.push_back(line);
      out += fmt::format("{}\n", line);
    }
  }
}

}  // namespace

const char* to_string(RuleVerdict verdict) {
  switch (verdict) {
    case RuleVerdict::met:
      return "ok";
    case RuleVerdict::missing:
      return "missing";
    case RuleVerdict::unknown:
      return "unknown";
    case RuleVerdict::noted:
      return "either way";
  }
  return "?";
}

const char* to_string(RoleVerdict verdict) {
  switch (verdict) {
    case RoleVerdict::fit:
      return "fit";
    case RoleVerdict::lacks_some:
      return "fit, but something recommended is missing";
    case RoleVerdict::undecided:
      return "undecided";
    case RoleVerdict::unfit:
      return "unfit";
  }
  return "?";
}

RoleCheck check_role(const KernelConfig& config, ConfigArch arch, ConfigRole role, std::span<const ConfigRule> more) {
  RoleCheck out;
  out.role = role;
  const auto replaced = [&](const ConfigRule& rule) {
    return std::ranges::any_of(more, [&](const ConfigRule& other) {
      return other.options.front() == rule.options.front() && applies(other, config.age(), arch, role);
    });
  };
  for (const ConfigRule& rule : config_rules()) {
    if (applies(rule, config.age(), arch, role) && !replaced(rule)) {
      out.rules.push_back(check(config, rule));
    }
  }
  for (const ConfigRule& rule : more) {
    if (applies(rule, config.age(), arch, role)) {
      out.rules.push_back(check(config, rule));
    }
  }
  // What is required stands before what is recommended, whoever asks for it.
  std::ranges::stable_sort(out.rules, {}, [](const CheckedRule& checked) { return checked.rule->weight; });
  for (const CheckedRule& checked : out.rules) {
    if (checked.verdict == RuleVerdict::missing) {
      out.verdict = std::max(
          out.verdict, checked.rule->weight == RuleWeight::required ? RoleVerdict::unfit : RoleVerdict::lacks_some);
    } else if (checked.verdict == RuleVerdict::unknown && checked.rule->weight != RuleWeight::harmless) {
      out.verdict = std::max(out.verdict, RoleVerdict::undecided);
    }
  }
  return out;
}

std::string config_fragment(const KernelConfig& config, std::span<const RoleCheck> checks) {
  std::string out = "# What is missing of a kernel configuration, for scripts/kconfig/merge_config.sh.\n";
  std::vector<std::string_view> done;
  std::vector<const ConfigRule*> seen;
  for (const RoleCheck& role : checks) {
    for (const CheckedRule& checked : role.rules) {
      const ConfigRule& rule = *checked.rule;
      if (checked.verdict == RuleVerdict::met || rule.weight == RuleWeight::harmless ||
          std::ranges::find(seen, &rule) != seen.end()) {
        continue;
      }
      seen.push_back(&rule);
      out += fmt::format("# {}, {}: {}\n", to_string(role.role), to_string(rule.weight), rule.reason);
      const bool old = rule.fix_since != 0 && config.age() && *config.age() < rule.fix_since;
      const std::string_view fix = old ? rule.old_fix : rule.fix;
      const bool follows = !rule.implied_by.empty() && config.value(rule.implied_by).value_or("n") != "y";
      // No CONFIG_ in a comment: merge_config.sh would take it for another value of that option, and complain.
      if (fix.empty() && follows) {
        out += fmt::format("# {} is on wherever {} is\n", rule.options.front(), rule.implied_by);
      } else if (fix.empty()) {
        out += fmt::format("# {} cannot be chosen: {}\n", rule.options.front(), rule.fact);
      } else {
        add_lines(fix, done, out);
      }
    }
  }
  return out;
}

}  // namespace xstack
