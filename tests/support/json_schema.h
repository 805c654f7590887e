// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

namespace xstack::test {

/// A validator for the part of JSON Schema that the project's schema uses. A keyword that it does not know is an error,
/// so that a schema cannot grow out of what is checked here.
class SchemaValidator {
 public:
  explicit SchemaValidator(nlohmann::json schema) : schema_(std::move(schema)) {}

  /// What is wrong with `value`, a line each; empty when it is valid.
  [[nodiscard]] std::vector<std::string> errors(const nlohmann::json& value) {
    errors_.clear();
    check(value, schema_, "$");
    return errors_;
  }

 private:
  using Json = nlohmann::json;

  void check(const Json& value, const Json& schema, const std::string& at) {
    for (const auto& [keyword, rule] : schema.items()) {
      if (keyword == "$ref") {
        check(value, schema_.at(Json::json_pointer(rule.get<std::string>().substr(1))), at);
      } else if (keyword == "type") {
        check_type(value, rule, at);
      } else if (keyword == "const") {
        expect(value == rule, at + ": not the constant");
      } else if (keyword == "enum") {
        expect(std::find(rule.begin(), rule.end(), value) != rule.end(), at + ": " + value.dump() + " is not listed");
      } else if (keyword == "pattern") {
        expect(!value.is_string() || std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>())),
               at + ": " + value.dump() + " does not match");
      } else if (keyword == "minimum") {
        expect(!value.is_number() || value >= rule, at + ": too small");
      } else if (keyword == "required") {
        for (const auto& name : rule) {
          expect(!value.is_object() || value.contains(name), at + ": lacks " + name.dump());
        }
      } else if (keyword == "items") {
        for (std::size_t i = 0; value.is_array() && i < value.size(); ++i) {
          check(value[i], rule, at + "[" + std::to_string(i) + "]");
        }
      } else if (keyword == "properties" || keyword == "additionalProperties") {
        check_properties(value, schema, keyword == "properties", at);
      } else {
        expect(keyword == "$schema" || keyword == "$id" || keyword == "$defs" || keyword == "title" ||
                   keyword == "description",
               at + ": the schema has a keyword that is not checked: " + keyword);
      }
    }
  }

  void check_type(const Json& value, const Json& rule, const std::string& at) {
    const auto is = [&](const std::string& type) {
      return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
             (type == "string" && value.is_string()) || (type == "integer" && value.is_number_integer()) ||
             (type == "boolean" && value.is_boolean()) || (type == "null" && value.is_null());
    };
    const bool ok = rule.is_array() ? std::any_of(rule.begin(), rule.end(), is) : is(rule.get<std::string>());
    expect(ok, at + ": is no " + rule.dump());
  }

  void check_properties(const Json& value, const Json& schema, bool named, const std::string& at) {
    if (!value.is_object()) {
      return;
    }
    const Json known = schema.value("properties", Json::object());
    for (const auto& [name, member] : value.items()) {
      const std::string where = at + "." + name;
      if (named && known.contains(name)) {
        check(member, known[name], where);
      } else if (!named && !known.contains(name)) {
        const Json& rule = schema.at("additionalProperties");
        if (rule.is_boolean()) {
          expect(rule.get<bool>(), where + ": not in the schema");
        } else {
          check(member, rule, where);
        }
      }
    }
  }

  void expect(bool ok, const std::string& what) {
    if (!ok) {
      errors_.push_back(what);
    }
  }

  Json schema_;
  std::vector<std::string> errors_;
};

}  // namespace xstack::test
