// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "boards/board.h"

namespace xstack {
namespace {

using Json = nlohmann::json;

constexpr int kDepth = 8;
constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxList = 64;
constexpr std::size_t kMaxRules = 256;
constexpr std::uint64_t kMaxCount = 1ULL << 32;

tl::unexpected<Error> bad(std::string message) {
  return fail(Errc::bad_format, std::move(message));
}

/// A string that can stand in a line of a report: bounded, without control characters but, where `lines` says so,
/// newlines.
std::optional<std::string> text_of(const Json& json, bool lines = false) {
  if (!json.is_string()) {
    return std::nullopt;
  }
  std::string text = json.get<std::string>();
  for (const unsigned char c : text) {
    if ((c < 0x20 && !(lines && c == '\n')) || c == 0x7f) {
      return std::nullopt;
    }
  }
  return text.empty() || text.size() > kMaxText ? std::nullopt : std::optional(std::move(text));
}

std::optional<std::uint64_t> number_of(const Json& json, FactType type) {
  if (type == FactType::count) {
    return json.is_number_unsigned() && json.get<std::uint64_t>() <= kMaxCount
               ? std::optional(json.get<std::uint64_t>())
               : std::nullopt;
  }
  const auto text = text_of(json);
  const bool address = type == FactType::address || type == FactType::addresses;
  return text && (!address || text->starts_with("0x")) ? parse_size(*text) : std::nullopt;
}

template <class T, class F>
std::optional<FactValue> list_of(const Json& json, F one) {
  if (!json.is_array() || json.empty() || json.size() > kMaxList) {
    return std::nullopt;
  }
  std::vector<T> all;
  for (const Json& item : json) {
    auto value = one(item);
    if (!value) {
      return std::nullopt;
    }
    all.push_back(std::move(*value));
  }
  return all;
}

std::optional<FactValue> value_of(const Json& json, FactType type) {
  const auto as_value = [](auto&& found) { return found ? std::optional<FactValue>(*found) : std::nullopt; };
  switch (type) {
    case FactType::text:
      return as_value(text_of(json));
    case FactType::texts:
      return list_of<std::string>(json, [](const Json& one) { return text_of(one); });
    case FactType::address:
    case FactType::size:
    case FactType::count:
      return as_value(number_of(json, type));
    case FactType::addresses:
    case FactType::sizes:
      return list_of<std::uint64_t>(json, [&](const Json& one) { return number_of(one, type); });
    case FactType::flag:
      return json.is_boolean() ? std::optional<FactValue>(json.get<bool>()) : std::nullopt;
  }
  return std::nullopt;
}

/// Every member of `json` must be one of `names`: a misspelt one would be lost otherwise.
template <std::size_t N>
Result<void> only(const Json& json, const std::array<std::string_view, N>& names, const std::string& where) {
  for (const auto& [name, value] : json.items()) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return bad(fmt::format("{}: '{}' is no member of it", where, escape(name)));
    }
  }
  return {};
}

Result<Fact> parse_fact(const std::string& key, const Json& json) {
  const FactInfo* info = find_fact(key);
  if (info == nullptr) {
    return bad(fmt::format("facts: '{}' is no fact that a board can have", escape(key)));
  }
  const std::string where = fmt::format("facts, {}", key);
  if (!json.is_object()) {
    return bad(where + ": is no object");
  }
  if (auto ok = only(json, std::array<std::string_view, 3>{"value", "source", "absent"}, where); !ok) {
    return tl::unexpected(ok.error());
  }
  Fact fact;
  if (json.contains("absent")) {
    auto why = text_of(json["absent"]);
    if (!why || json.size() != 1) {
      return bad(where + ": 'absent' is the reason why there is no value, and stands alone");
    }
    fact.absent = std::move(*why);
    return fact;
  }
  auto source = json.contains("source") ? text_of(json["source"]) : std::nullopt;
  if (!json.contains("value") || !source) {
    return bad(where + ": needs 'value' and 'source', or 'absent'");
  }
  fact.value = value_of(json["value"], info->type);
  if (!fact.value) {
    return bad(fmt::format("{}: the value is not {}", where, to_string(info->type)));
  }
  fact.source = std::move(*source);
  return fact;
}

template <class E, std::size_t N>
std::optional<E> one_of(const Json& json, const std::array<E, N>& all) {
  for (const E one : all) {
    if (json.is_string() && json.get<std::string>() == to_string(one)) {
      return one;
    }
  }
  return std::nullopt;
}

bool is_option(std::string_view name) {
  return !name.empty() && name.size() <= 80 &&
         name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
             std::string_view::npos;
}

/// Lines that kconfig reads: nothing else may come out of `check-config --fix`.
bool is_fragment(std::string_view lines) {
  while (!lines.empty()) {
    std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    const bool off = line.starts_with("# CONFIG_") && line.ends_with(" is not set");
    if (!line.starts_with("CONFIG_") && !off) {
      return false;
    }
  }
  return true;
}

Result<BoardRule> parse_rule(const Json& json, const std::string& where) {
  if (!json.is_object()) {
    return bad(where + ": is no object");
  }
  static constexpr std::array<std::string_view, 7> kNames = {"options", "weight", "want",      "reason",
                                                             "fact",    "fix",    "implied_by"};
  if (auto ok = only(json, kNames, where); !ok) {
    return tl::unexpected(ok.error());
  }
  BoardRule rule;
  const Json none;
  const auto member = [&](const char* name) -> const Json& { return json.contains(name) ? json[name] : none; };
  for (const Json& name : member("options")) {
    if (!name.is_string() || !is_option(name.get<std::string>())) {
      return bad(where + ": 'options' are names without CONFIG_");
    }
    rule.options.push_back(name.get<std::string>());
  }
  if (!member("options").is_array() || rule.options.empty() || rule.options.size() > 4) {
    return bad(where + ": 'options' is a list of one to four names");
  }
  const auto weight =
      one_of(member("weight"), std::array{RuleWeight::required, RuleWeight::recommended, RuleWeight::harmless});
  const auto want =
      one_of(member("want"), std::array{RuleWant::built_in, RuleWant::enabled, RuleWant::off, RuleWant::zero});
  if (!weight || !want) {
    return bad(where + ": 'weight' is required, recommended or harmless, 'want' is y, y or m, n or 0");
  }
  auto reason = text_of(member("reason"));
  auto fact = text_of(member("fact"));
  if (!reason || !fact) {
    return bad(where + ": needs 'reason' and 'fact'");
  }
  rule.weight = *weight;
  rule.want = *want;
  rule.reason = std::move(*reason);
  rule.fact = std::move(*fact);
  if (json.contains("fix")) {
    auto fix = text_of(json["fix"], true);
    if (!fix || !is_fragment(*fix)) {
      return bad(where + ": 'fix' holds lines of a configuration");
    }
    rule.fix = std::move(*fix);
  }
  if (json.contains("implied_by")) {
    const auto name = text_of(json["implied_by"]);
    if (!name || !is_option(*name)) {
      return bad(where + ": 'implied_by' is the name of an option without CONFIG_");
    }
    rule.implied_by = *name;
  }
  return rule;
}

Result<void> parse_rules(const Json& json, BoardFile& file) {
  if (!json.is_array() || json.size() > kMaxRules) {
    return bad("kernel: is no list of rules");
  }
  for (const Json& one : json) {
    auto rule = parse_rule(one, fmt::format("kernel, rule {}", file.rules.size() + 1));
    if (!rule) {
      return tl::unexpected(rule.error());
    }
    file.rules.push_back(std::move(*rule));
  }
  return {};
}

Result<void> parse_head(const Json& json, BoardFile& file) {
  if (!json.is_object() || !json.contains("xstack_board") || json["xstack_board"] != 1) {
    return bad("is no board file: there is no \"xstack_board\": 1");
  }
  static constexpr std::array<std::string_view, 8> kNames = {"$schema", "xstack_board", "kind",  "name",
                                                             "title",   "include",      "facts", "kernel"};
  if (auto ok = only(json, kNames, "the file"); !ok) {
    return ok;
  }
  const auto text = [&](const char* name) { return json.contains(name) ? text_of(json[name]) : std::nullopt; };
  const auto kind = text("kind");
  const auto name = text("name");
  auto title = text("title");
  if (kind != "board" && kind != "part") {
    return bad("'kind' is neither board nor part");
  }
  if (!name || !is_board_name(*name)) {
    return bad("'name' is no name: lower-case letters, digits, - _ + and dots");
  }
  if (!title) {
    return bad("there is no 'title'");
  }
  file.is_part = kind == "part";
  file.name = *name;
  file.title = std::move(*title);
  if (json.contains("include")) {
    if (!json["include"].is_array() || json["include"].size() > kMaxList) {
      return bad("'include' is no list of names");
    }
    for (const Json& one : json["include"]) {
      const auto included = text_of(one);
      if (!included || !is_board_name(*included)) {
        return bad("'include' holds something that is no name");
      }
      file.includes.push_back(*included);
    }
  }
  return {};
}

}  // namespace

Result<BoardFile> parse_board_file(std::string_view text) {
  if (text.size() > kMaxBoardFile) {
    return fail(Errc::too_large, "is larger than any board file");
  }
  bool too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kDepth;
    return !too_deep;
  };
  const Json json = Json::parse(text, watch, /*allow_exceptions=*/false);
  if (too_deep || json.is_discarded()) {
    return bad(too_deep ? "is nested too deeply" : "is no JSON");
  }
  BoardFile file;
  if (auto head = parse_head(json, file); !head) {
    return tl::unexpected(head.error());
  }
  if (json.contains("facts")) {
    if (!json["facts"].is_object()) {
      return bad("'facts' is no object");
    }
    for (const auto& [key, value] : json["facts"].items()) {
      auto fact = parse_fact(key, value);
      if (!fact) {
        return tl::unexpected(fact.error());
      }
      fact->file = file.name;
      file.facts.emplace(key, std::move(*fact));
    }
  }
  if (json.contains("kernel")) {
    if (auto rules = parse_rules(json["kernel"], file); !rules) {
      return tl::unexpected(rules.error());
    }
  }
  return file;
}

}  // namespace xstack
