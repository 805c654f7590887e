// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/print/log_printer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/json_schema.h"

namespace xstack {
namespace {

using testing::IsEmpty;

KernelLog sample() {
  KernelLog log;
  log.records.push_back({.seq = 0, .time_ns = 0, .level = 5, .text = "Linux version 6\\1"});
  log.records.push_back({.seq = 1,
                         .time_ns = 12'345'678'901,
                         .level = 3,
                         .facility = 0,
                         .text = "a\tb\n\x1b[2J",
                         .tid = 12,
                         .comm = "s\x01h",
                         .subsystem = "usb",
                         .device = "+usb:1"});
  log.records.push_back(
      {.seq = 2, .time_ns = 123'456'000'000'000, .level = 6, .facility = 1, .text = "tail", .cpu = 1});
  return log;
}

TEST(PrintLog, IsDmesgsForm) {
  EXPECT_EQ(print_log(sample(), {}),
            "[    0.000000] Linux version 6\\1\n"
            "[   12.345678] a\tb\n"
            "[   12.345678] \\x1b[2J\n"
            "[123456.000000] tail\n");
}

TEST(PrintLog, PrioritiesAndNames) {
  EXPECT_EQ(print_log(sample(), {.levels = 1U << 6, .raw = true}), "<14>[123456.000000] tail\n");
  EXPECT_EQ(print_log(sample(), {.levels = 1U << 6 | 1U << 5, .decode = true}),
            "kern  :notice: [    0.000000] Linux version 6\\1\n"
            "user  :info  : [123456.000000] tail\n");
}

TEST(PrintLog, PiecesContinueTheirLine) {
  KernelLog log;
  log.records.push_back({.time_ns = 1000, .text = "a "});
  log.records.push_back({.time_ns = 2000, .text = "b", .joined = true});
  log.records.push_back({.time_ns = 3000, .text = "c"});
  EXPECT_EQ(print_log(log, {}), "[    0.000001] a b\n[    0.000003] c\n");
  log.records.erase(log.records.begin());
  EXPECT_EQ(print_log(log, {}), "[    0.000002] b\n[    0.000003] c\n") << "its beginning is gone";
}

TEST(PrintLog, JsonFollowsTheSchema) {
  std::ifstream in(XSTACK_LOG_SCHEMA);
  test::SchemaValidator schema(nlohmann::json::parse(in));
  const std::string text = print_log_json(sample(), {});
  std::size_t lines = 0;
  for (std::size_t at = 0; at < text.size(); ++lines) {
    const std::size_t end = text.find('\n', at);
    const auto line = nlohmann::json::parse(text.substr(at, end - at));
    EXPECT_THAT(schema.errors(line), IsEmpty());
    if (lines == 1) {
      EXPECT_EQ(line["text"], "a\\x09b\\x0a\\x1b[2J");
      EXPECT_EQ(line["time_ns"], 12'345'678'901);
      EXPECT_EQ(line["level"], "err");
      EXPECT_EQ(line["comm"], "s\\x01h");
      EXPECT_FALSE(line.contains("cpu"));
    }
    at = end + 1;
  }
  EXPECT_EQ(lines, 3U);
}

TEST(ParseLevels, AsDmesgTakesThem) {
  EXPECT_EQ(parse_levels("err"), 1U << 3);
  EXPECT_EQ(parse_levels("err,warn"), 1U << 3 | 1U << 4);
  EXPECT_EQ(parse_levels("err+"), 0xfU);
  EXPECT_EQ(parse_levels("+err"), 0xf8U);
  EXPECT_EQ(parse_levels("7"), 0x80U);
  for (const char* bad : {"", "errr", "err,", "+", "+err+", "8", ",err", "-1"}) {
    EXPECT_EQ(parse_levels(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace xstack
