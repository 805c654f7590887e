// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/print/module_printer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/json_schema.h"

namespace xstack {
namespace {

using testing::IsEmpty;

ModuleListReport sample() {
  ModuleListReport report;
  report.unwind_kind = "ehabi";
  ModuleReport live;
  live.module.name = "jbd2";
  live.module.structure = GuestVirt(0xbf050000);
  live.module.text_begin = GuestVirt(0xbf04b000);
  live.module.text_end = GuestVirt(0xbf050000);
  live.module.size = 118784;
  live.module.init_size = 0;
  live.module.state = 0;
  live.module.symbols = 51;
  live.unwind_tables = 2;
  live.unwind_entries = 300;
  live.use = {2, {{"ext4", "ocfs2"}}, 1U << 12 | 1U << 13};
  ModuleReport loading = live;
  loading.use = {0, {{}}, 0};
  loading.module.name = "a\x1b";
  loading.module.state = 1;
  loading.module.init_size = 4096;
  loading.module.init_text_begin = GuestVirt(0xbf060000);
  loading.unwind_tables = 0;
  ModuleReport unknown;
  unknown.module.name = "x";
  report.modules = {live, loading, unknown};
  report.notes = {"a\x1b: b"};
  return report;
}

TEST(PrintModules, IsATable) {
  EXPECT_EQ(
      print_modules(sample()),
      "Module      Size State     Address            Symbols  Taints   Unwind (ehabi)  Used by\n"
      "jbd2      118784 Live      0xbf04b000              51  OE       300 in 2        2 ext4,ocfs2\n"
      "a\\x1b     118784 Loading   0xbf04b000              51  -        none            0  init 4096 at 0xbf060000\n"
      "x        unknown unknown   unknown            unknown  unknown  none            unknown\n"
      "not known: a\\x1b: b\n");
}

TEST(PrintModules, LeavesOutColumnsThatNoModuleHas) {
  ModuleListReport report = sample();
  for (ModuleReport& one : report.modules) {
    one.use = {};
  }
  report.unwind_kind = "";
  report.notes.clear();
  report.modules.resize(1);
  EXPECT_EQ(print_modules(report),
            "Module      Size State     Address            Symbols\n"
            "jbd2      118784 Live      0xbf04b000              51\n");
}

TEST(PrintModules, JsonFollowsTheSchema) {
  std::ifstream in(XSTACK_MODULES_SCHEMA);
  test::SchemaValidator schema(nlohmann::json::parse(in));
  const auto json = nlohmann::json::parse(print_modules_json(sample()));
  EXPECT_THAT(schema.errors(json), IsEmpty());
  EXPECT_EQ(json["modules"][0]["address"], "0xbf04b000");
  EXPECT_EQ(json["modules"][1]["state"], "Loading");
  EXPECT_EQ(json["modules"][0]["references"], 2);
  EXPECT_EQ(json["modules"][0]["users"], nlohmann::json({"ext4", "ocfs2"}));
  EXPECT_EQ(json["modules"][0]["taints"], "OE");
  EXPECT_EQ(json["modules"][1]["taints"], "");
  EXPECT_FALSE(json["modules"][2].contains("taints"));
  EXPECT_EQ(json["unknown"][0], "a\\x1b: b");
  EXPECT_FALSE(json["modules"][2].contains("size"));
  EXPECT_THAT(schema.errors(nlohmann::json::parse(print_modules_json({}))), IsEmpty());
}

}  // namespace
}  // namespace xstack
