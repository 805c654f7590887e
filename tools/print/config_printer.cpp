// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/print/config_printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace xstack {
namespace {

using Json = nlohmann::ordered_json;

std::size_t count(const RoleCheck& role, RuleWeight weight, RuleVerdict verdict) {
  return static_cast<std::size_t>(std::ranges::count_if(role.rules, [&](const CheckedRule& checked) {
    return checked.rule->weight == weight && checked.verdict == verdict;
  }));
}

std::string title(const RoleCheck& role) {
  std::string out = fmt::format("{}: {}", to_string(role.role), to_string(role.verdict));
  std::string parts;
  const auto add = [&](RuleWeight weight, RuleVerdict verdict) {
    if (const std::size_t n = count(role, weight, verdict)) {
      parts += fmt::format("{}{} {} {}", parts.empty() ? "" : ", ", n, to_string(weight), to_string(verdict));
    }
  };
  for (const RuleWeight weight : {RuleWeight::required, RuleWeight::recommended}) {
    add(weight, RuleVerdict::missing);
    add(weight, RuleVerdict::unknown);
  }
  return parts.empty() ? out : fmt::format("{} ({})", out, parts);
}

/// "CONFIG_XEN=y", "CONFIG_XEN is not set", "CONFIG_XEN is not mentioned".
std::string shown(const CheckedRule& checked) {
  if (!checked.value) {
    return fmt::format("CONFIG_{} is not mentioned", checked.option);
  }
  return *checked.value == "n" ? fmt::format("CONFIG_{} is not set", checked.option)
                               : fmt::format("CONFIG_{}={}", checked.option, escape(*checked.value));
}

/// ", should be y"; where several options would do, ", CONFIG_ARM_UNWIND or CONFIG_FRAME_POINTER should be y".
std::string wanted(const ConfigRule& rule) {
  std::string names;
  if (!rule.options[1].empty()) {
    for (const auto option : rule.options) {
      names += option.empty() ? "" : fmt::format("{}CONFIG_{}", names.empty() ? " " : " or ", option);
    }
  }
  return fmt::format(",{} should be {}", names, to_string(rule.want));
}

}  // namespace

std::string print_config(const ConfigReport& report, bool verbose) {
  std::string out = fmt::format("{}: Linux{}{} for {}, from {}\n", escape(report.source), report.version ? " " : "",
                                report.version ? escape(*report.version) : "", to_string(report.arch), report.where);
  if (report.board) {
    out += fmt::format("board: {}\n", escape(*report.board));
  }
  for (const std::string& note : report.notes) {
    out += fmt::format("note: {}\n", escape(note));
  }
  if (!report.complete) {
    out += "not a complete configuration: what it does not mention is unknown; `make olddefconfig` completes it\n";
  }
  for (const RoleCheck& role : report.roles) {
    out += fmt::format("\n{}\n", title(role));
    for (const CheckedRule& checked : role.rules) {
      const bool open = checked.verdict == RuleVerdict::missing || checked.verdict == RuleVerdict::unknown;
      out += fmt::format("  {:<11}  {:<10}  {}{}\n", to_string(checked.rule->weight), to_string(checked.verdict),
                         shown(checked),
                         open && checked.rule->weight != RuleWeight::harmless ? wanted(*checked.rule) : "");
      if (open || verbose) {
        out += fmt::format("{0:27}{1}\n{0:27}[{2}]\n", "", escape(checked.rule->reason), escape(checked.rule->fact));
      }
    }
  }
  return out;
}

std::string print_config_json(const ConfigReport& report) {
  Json out;
  out["xstack"] = 1;
  out["source"] = escape(report.source);
  out["where"] = report.where;
  if (report.version) {
    out["version"] = escape(*report.version);
  }
  out["arch"] = to_string(report.arch);
  out["complete"] = report.complete;
  if (report.board) {
    out["board"] = escape(*report.board);
  }
  for (const std::string& note : report.notes) {
    out["notes"].push_back(escape(note));
  }
  out["roles"] = Json::array();
  for (const RoleCheck& role : report.roles) {
    static constexpr const char* kVerdicts[] = {"fit", "lacks-recommended", "undecided", "unfit"};
    Json one;
    one["role"] = to_string(role.role);
    one["verdict"] = kVerdicts[static_cast<std::size_t>(role.verdict)];
    one["options"] = Json::array();
    for (const CheckedRule& checked : role.rules) {
      static constexpr const char* kRules[] = {"ok", "missing", "unknown", "either-way"};
      Json option;
      option["option"] = std::string(checked.option);
      Json names = Json::array();
      for (const auto name : checked.rule->options) {
        if (!name.empty()) {
          names.push_back(std::string(name));
        }
      }
      option["one_of"] = std::move(names);
      option["weight"] = to_string(checked.rule->weight);
      option["wanted"] = to_string(checked.rule->want);
      option["verdict"] = kRules[static_cast<std::size_t>(checked.verdict)];
      if (checked.value) {
        option["value"] = escape(*checked.value);
      }
      option["reason"] = escape(checked.rule->reason);
      option["fact"] = escape(checked.rule->fact);
      one["options"].push_back(std::move(option));
    }
    out["roles"].push_back(std::move(one));
  }
  return out.dump(2) + "\n";
}

}  // namespace xstack
