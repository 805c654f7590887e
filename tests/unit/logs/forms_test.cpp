// SPDX-License-Identifier: LGPL-2.1-or-later
// Reports in every form: tests/data/logs holds a log for each and, in forms.json, what must be recognised in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "logs/writers.h"
#include "tests/unit/logs/collector.h"

namespace xstack {
namespace {

using nlohmann::json;
using test::Collector;
using test::scan_into;

std::string read(const std::string& name) {
  std::ifstream in(std::string(XSTACK_LOGS) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

const json& forms() {
  static const json all = json::parse(read("forms.json"));
  return all;
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto& [name, expected] : forms().items()) {
    out.push_back(name);
  }
  return out;
}

bool same_key(const json& a, const json& b) {
  return a.at("kind") == b.at("kind") && (!a.contains("vcpu") || a.at("vcpu") == b.value("vcpu", json()));
}

/// The names of the frames that are no guesses hold `expected` in a row.
bool has_frames(const json& report, const json& expected) {
  std::vector<std::string> got;
  for (const auto& frame : report.at("frames")) {
    if (!frame.contains("guess")) {
      got.push_back(frame.value("symbol", "?"));
    }
  }
  const auto wanted = expected.get<std::vector<std::string>>();
  return wanted.empty() || std::search(got.begin(), got.end(), wanted.begin(), wanted.end()) != got.end();
}

void compare(const json& expected, const json& report) {
  for (const auto& [key, value] : expected.items()) {
    if (key == "frames") {
      EXPECT_TRUE(has_frames(report, value)) << value << " in " << report.at("frames");
    } else if (key == "title") {
      EXPECT_THAT(report.at("title").get<std::string>(), testing::HasSubstr(value.get<std::string>()));
    } else if (key == "registers") {
      for (const auto& [name, number] : value.items()) {
        EXPECT_EQ(report.at("registers").value(name, json()), number) << name;
      }
    } else if (key == "stack_words") {
      EXPECT_EQ(report.at("stack").at("words").size(), value.get<std::size_t>());
    } else {
      EXPECT_EQ(report.value(key, json()), value) << key;
    }
  }
}

class Form : public testing::TestWithParam<std::string> {};

TEST_P(Form, IsRecognised) {
  const std::string log = read(GetParam() + ".log");
  ASSERT_FALSE(log.empty());
  Collector found;
  scan_into(found, log, log.size());
  EXPECT_EQ(found.text(), log) << "every byte is given once, in order";
  const json& expected = forms().at(GetParam());
  std::vector<json> reports;
  for (const auto& report : found.reports) {
    reports.push_back(json::parse(logs::json_line(report, "x")));
  }
  EXPECT_EQ(reports.size(), expected.size());
  for (const auto& want : expected) {
    const auto report = std::ranges::find_if(reports, [&](const json& r) { return same_key(want, r); });
    ASSERT_NE(report, reports.end()) << want;
    compare(want, *report);
    reports.erase(report);
  }
}

TEST_P(Form, DoesNotDependOnHowItIsCut) {
  const std::string log = read(GetParam() + ".log");
  Collector whole;
  scan_into(whole, log, log.size());
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{61}, std::size_t{1000}}) {
    Collector cut;
    scan_into(cut, log, piece);
    EXPECT_EQ(cut.text(), log);
    ASSERT_EQ(cut.reports.size(), whole.reports.size()) << piece;
    for (std::size_t i = 0; i < cut.reports.size(); ++i) {
      EXPECT_EQ(logs::json_line(cut.reports[i], "x"), logs::json_line(whole.reports[i], "x")) << piece;
    }
  }
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace_if(
      name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Logs, Form, testing::ValuesIn(names()), test_name);

TEST(Signature, IsTheSameWhoeverPrintsThePanic) {
  std::set<std::string> signatures;
  for (const char* name : {"arm64-panic-7.2", "prefix-none", "prefix-d3", "prefix-caller", "prefix-lava", "crlf",
                           "prefix-dmesg-T", "interleaved-xen-midline"}) {
    Collector found;
    scan_into(found, read(std::string(name) + ".log"), 4096);
    ASSERT_EQ(found.reports.size(), 1U) << name;
    signatures.insert(found.reports[0].signature);
  }
  EXPECT_EQ(signatures.size(), 1U);
}

TEST(Signature, DiffersWhereTheFunctionsDo) {
  std::set<std::string> signatures;
  for (const char* name : {"arm64-panic-7.2", "arm64-warning", "arm64-oops", "soft-lockup", "kasan", "atomic"}) {
    Collector found;
    scan_into(found, read(std::string(name) + ".log"), 4096);
    ASSERT_EQ(found.reports.size(), 1U) << name;
    signatures.insert(found.reports[0].signature);
  }
  EXPECT_EQ(signatures.size(), 6U);
}

}  // namespace
}  // namespace xstack
