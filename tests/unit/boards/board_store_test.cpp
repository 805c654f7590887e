// SPDX-License-Identifier: LGPL-2.1-or-later
#include "boards/board_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "boards/compare_tree.h"
#include "boards/kernel_layout.h"
#include "boards/shipped.h"
#include "kconfig/check.h"
#include "kconfig/config_source.h"
#include "tests/support/json_schema.h"
#include "tests/support/tree_text.h"
#include "tools/cli/run.h"
#include "tools/print/board_printer.h"

namespace xstack {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kSource = XSTACK_SOURCE;
const BoardFolders kNone;

Board shipped(const std::string& name) {
  auto board = find_board(name, kNone);
  EXPECT_TRUE(board) << (board ? "" : board.error().message);
  return board ? std::move(*board) : Board{};
}

DeviceTree tree_file(const std::string& name) {
  auto tree = DeviceTree::parse(test::tree_of(test::text_of(kSource + "/tests/data/boards/" + name + ".tree")));
  EXPECT_TRUE(tree) << name << (tree ? "" : tree.error().message);
  return std::move(*tree);
}

class Folder : public testing::Test {
 protected:
  Folder() : path_(std::filesystem::temp_directory_path() / ("xstack-boards-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_ / "xstack/boards");
  }
  ~Folder() override { std::filesystem::remove_all(path_); }

  std::string write(const std::string& name, const std::string& text) {
    const auto file = path_ / "xstack/boards" / (name + ".json");
    std::ofstream(file) << text;
    return file;
  }
  [[nodiscard]] BoardFolders folders() const { return {{path_ / "xstack/boards"}}; }
  std::string error_of(const std::string& name) {
    const auto board = find_board(name, folders());
    return board ? "" : board.error().message;
  }

  std::filesystem::path path_;
};

constexpr const char* kNewBoard = R"({
  "xstack_board": 1, "kind": "board", "name": "pcduino3", "title": "LinkSprite pcDuino3",
  "include": ["part-sun7i-a20"],
  "facts": {
    "model": {"value": "LinkSprite pcDuino3", "source": "sun7i-a20-pcduino3.dts"},
    "ram.sizes": {"value": ["1G"], "source": "the test"},
    "dom0.dtb": {"value": "sun7i-a20-pcduino3.dtb", "source": "the test"},
    "linux.kernel_start": {"value": "0x80000000", "source": "the kernel that its vendor ships: VMSPLIT_2G"}
  },
  "kernel": [{"options": ["ARCH_SUNXI"], "weight": "required", "want": "y", "reason": "of the test", "fact": "none"}]
})";

TEST(ShippedBoards, AreTheBoardsOfTheList) {
  std::set<std::string> names;
  for (const BoardEntry& entry : list_boards(kNone)) {
    EXPECT_TRUE(entry.board) << entry.name << ": " << (entry.board ? "" : entry.board.error().message);
    names.insert(entry.name);
  }
  EXPECT_THAT(names, testing::ElementsAre("a20", "a20-olinuxino-lime", "a20-olinuxino-lime2", "a20-olinuxino-micro",
                                          "bananapi", "bananapi-m1-plus", "bananapro", "cubieboard2", "cubietruck",
                                          "mele-m3", "mele-m5", "orangepi-pc"));
}

/// Every fact of the table is said of every board: a value with its source, or why there is none.
TEST(ShippedBoards, SayEverythingOrWhyNot) {
  for (const BoardEntry& entry : list_boards(kNone)) {
    ASSERT_TRUE(entry.board);
    for (const FactInfo& info : fact_table()) {
      SCOPED_TRACE(entry.name + ": " + info.key);
      const Fact* fact = entry.board->fact(info.key);
      ASSERT_NE(fact, nullptr);
      EXPECT_EQ(fact->value.has_value(), !fact->source.empty());
      EXPECT_NE(fact->value.has_value(), !fact->absent.empty());
    }
    EXPECT_FALSE(entry.board->rules.empty());
  }
}

TEST(ShippedBoards, AgreeWithTheirDeviceTrees) {
  for (const BoardEntry& entry : list_boards(kNone)) {
    const auto trees = entry.name == "a20" ? std::vector<std::string>{"cubieboard2", "bananapi", "mele-m5"}
                                           : std::vector<std::string>{entry.name};
    for (const std::string& name : trees) {
      SCOPED_TRACE(entry.name + " and the tree of " + name);
      const DeviceTree tree = tree_file(name);
      const auto compared = compare_tree(*entry.board, tree);
      EXPECT_EQ(compared.size(), entry.name == "a20" ? 18U : 19U);
      for (const TreeComparison& one : compared) {
        EXPECT_TRUE(one.agrees) << one.key << ": " << one.board << " against " << one.tree;
      }
      EXPECT_THAT(tree.memory(), IsEmpty()) << "ram.sizes could be read there";
    }
  }
}

TEST(ShippedBoards, ATreeOfAnotherBoardIsNoticed) {
  std::set<std::string> differing;
  for (const TreeComparison& one : compare_tree(shipped("cubieboard2"), tree_file("orangepi-pc"))) {
    if (!one.agrees) {
      differing.insert(one.key);
    }
  }
  EXPECT_THAT(differing, testing::ElementsAre("compatible", "cpu.count", "model", "soc.compatible", "uart.interrupt"));
}

TEST(ShippedBoards, TheSchemaKnowsTheSameFacts) {
  const auto schema = nlohmann::json::parse(test::text_of(kSource + "/tools/schema/xstack-board-1.json"));
  const auto& properties = schema["properties"]["facts"]["properties"];
  static constexpr const char* kTypes[] = {"text", "texts", "address", "addresses", "size", "sizes", "count", "flag"};
  for (const FactInfo& info : fact_table()) {
    ASSERT_TRUE(properties.contains(info.key)) << info.key;
    EXPECT_EQ(properties[info.key]["$ref"], std::string("#/$defs/") + kTypes[static_cast<std::size_t>(info.type)]);
  }
  EXPECT_EQ(properties.size(), fact_table().size());
}

TEST(ShippedBoards, ARuleOfABoardIsWhole) {
  for (const BoardEntry& entry : list_boards(kNone)) {
    for (const ConfigRule& rule : config_rules(*entry.board)) {
      SCOPED_TRACE(entry.name + ": " + std::string(rule.options.front()));
      EXPECT_FALSE(rule.reason.empty() || rule.fact.empty());
      EXPECT_TRUE(rule.weight == RuleWeight::harmless || !rule.fix.empty());
    }
  }
}

TEST_F(Folder, ANewBoardIsAFile) {
  write("pcduino3", kNewBoard);
  const auto board = find_board("pcduino3", folders());
  ASSERT_TRUE(board) << board.error().message;
  EXPECT_EQ(board->text("model"), "LinkSprite pcDuino3");
  EXPECT_EQ(board->number("uart.address"), 0x01c28000U) << "of what it includes";
  EXPECT_EQ(board->number("linux.kernel_start"), 0x80000000U) << "wins over what it includes";
  EXPECT_THAT(board->parts, testing::ElementsAre("part-arm32", "part-sunxi", "part-sun7i-a20"));
  unsigned sunxi = 0;
  for (const BoardRule& rule : board->rules) {
    sunxi += rule.options.front() == "ARCH_SUNXI" ? 1 : 0;
  }
  EXPECT_EQ(sunxi, 1U) << "a rule replaces that of an include";

  // And with the program itself, that looks into XDG_CONFIG_HOME.
  ::setenv("XDG_CONFIG_HOME", path_.c_str(), 1);
  const auto run_words = [](std::vector<std::string> words) {
    StringOutput out;
    StringOutput err;
    const ExitStatus status = run(words, real_backend(), {out, err});
    return std::tuple(status, out.text(), err.text());
  };
  const auto [listed, table, none] = run_words({"boards"});
  EXPECT_EQ(listed, ExitStatus::whole);
  EXPECT_THAT(table, HasSubstr("\npcduino3 "));
  const auto [shown, text, nothing] = run_words({"boards", "show", "pcduino3"});
  EXPECT_EQ(shown, ExitStatus::whole);
  EXPECT_THAT(text, HasSubstr("0x80000000\n                        [the kernel that its vendor ships: VMSPLIT_2G]\n"));
  EXPECT_THAT(text, HasSubstr("A domU does not"));
  EXPECT_THAT(text, HasSubstr("0x40000000, 0x200000000")) << "what a domU sees";
  const auto [booted, script, warned] = run_words({"boards", "boot", "pcduino3", "--xen", "xen", "--dom0", "zImage"});
  EXPECT_EQ(booted, ExitStatus::whole);
  EXPECT_THAT(script, HasSubstr("${prefix}sun7i-a20-pcduino3.dtb"));
  const auto [checked, checks, said] = run_words(
      {"check-config", "--board", "pcduino3", "--role", "dom0", std::string(XSTACK_CONFIGS) + "/debian-6.1-armmp"});
  EXPECT_THAT(checks, HasSubstr("kernel addresses from 0xc0000000 (CONFIG_PAGE_OFFSET), not from 0x80000000"));
  const auto [wrong, empty, why] = run_words({"--board", "nosuch", "--core", "x"});
  EXPECT_EQ(wrong, ExitStatus::not_understood);
  EXPECT_THAT(why, HasSubstr("no board is named 'nosuch'; there are: a20, "));
  ::unsetenv("XDG_CONFIG_HOME");
}

TEST_F(Folder, AFileOfTheUserWins) {
  std::string text = kNewBoard;
  text.replace(text.find("\"pcduino3\""), 10, "\"cubieboard2\"");
  const std::string path = write("cubieboard2", text);
  EXPECT_EQ(find_board("cubieboard2", folders())->title, "LinkSprite pcDuino3");
  EXPECT_EQ(find_board("cubieboard2", kNone)->title, "Cubietech Cubieboard2");
  EXPECT_EQ(find_board(path, kNone)->title, "LinkSprite pcDuino3") << "--board FILE, with shipped parts";
  EXPECT_THAT(find_board(path + "x.json", kNone).error().message, HasSubstr("No such file"));
}

TEST_F(Folder, WhatIsWrongWithAFileIsSaid) {
  const std::string head = R"({"xstack_board": 1, "kind": "board", "name": "b", "title": "t", )";
  const std::pair<std::string, const char*> cases[] = {
      {"", "is no JSON"},
      {"[1]", "is no board file"},
      {R"({"xstack_board": 2})", "is no board file"},
      {std::string(20, '[') + std::string(20, ']'), "is nested too deeply"},
      {head + R"("include": "part"})", "'include' is no list"},
      {head + R"("include": ["../x"]})", "no name"},
      {head + R"("fact": {}})", "'fact' is no member"},
      {head + R"("facts": {"ram.bass": {"absent": "x"}}})", "'ram.bass' is no fact"},
      {head + R"("facts": {"ram.base": {"value": "0x0"}}})", "facts, ram.base: needs 'value' and 'source'"},
      {head + R"("facts": {"ram.base": {"value": 5, "source": "x"}}})", "the value is not an address"},
      {head + R"("facts": {"ram.base": {"value": "64M", "source": "x"}}})", "the value is not an address"},
      {head + R"("facts": {"ram.sizes": {"value": ["1T"], "source": "x"}}})", "the value is not a list of sizes"},
      {head + R"("facts": {"ram.sizes": {"value": [], "source": "x"}}})", "the value is not a list of sizes"},
      {head + R"("facts": {"model": {"value": "a\u001b", "source": "x"}}})", "the value is not a string"},
      {head + R"("facts": {"model": {"value": "a", "absent": "x"}}})", "stands alone"},
      {head + R"("facts": {"ram.max": {"value": "99999999999G", "source": "x"}}})", "the value is not a size"},
      {head + R"("kernel": [{"options": ["A B"], "weight": "required"}]})", "kernel, rule 1: 'options' are names"},
      {head + R"("kernel": [{"options": ["A"], "weight": "x", "want": "y"}]})", "'weight' is required"},
      {head + R"("kernel": [{"options": ["A"], "weight": "required", "want": "y", "reason": "r", "fact": "f",
                             "fix": "rm -rf"}]})",
       "'fix' holds lines of a configuration"},
      {R"({"xstack_board": 1, "kind": "board", "name": "other", "title": "t"})", "its name is 'other'"},
      {head + R"("include": ["b"]})", "includes itself by way of 'b'"},
      {head + R"("include": ["nosuch"]})", "includes 'nosuch', which there is not"},
  };
  for (const auto& [text, expected] : cases) {
    SCOPED_TRACE(text);
    write("b", text);
    EXPECT_THAT(error_of("b"), HasSubstr(expected));
    EXPECT_THAT(error_of("b"), HasSubstr("b.json")) << "which file it is";
  }
  EXPECT_THAT(parse_board_file(std::string(kMaxBoardFile + 1, ' ')).error().message, HasSubstr("larger"));
  // One bad file hides no other.
  write("b", "{");
  const auto all = list_boards(folders());
  EXPECT_EQ(all.size(), 13U);
  EXPECT_THAT(print_boards(all), HasSubstr("b.json: is no JSON"));
  EXPECT_THAT(error_of("part-sunxi"), HasSubstr("no board is named"));
}

TEST(BoardSizes, AreReadAndWritten) {
  EXPECT_EQ(parse_size("512M"), 512U << 20);
  EXPECT_EQ(parse_size("0x8000"), 0x8000U);
  for (const char* bad : {"", "M", "1T", "-1", "0x", "18446744073709551616", "17179869185G"}) {
    EXPECT_EQ(parse_size(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(format_size(1536U << 20), "1536M");
  EXPECT_EQ(format_size(1U << 30), "1G");
  EXPECT_EQ(format_size(0x123), "0x123");
}

TEST(BoardKernel, LayoutFollowsTheConfiguration) {
  const Board board = shipped("cubieboard2");
  const auto layout = [&](const std::string& config) { return *kernel_layout(board, *KernelConfig::parse(config)); };
  const KernelLayout usual = layout("CONFIG_PAGE_OFFSET=0xC0000000\n");
  EXPECT_TRUE(usual.is_default);
  EXPECT_EQ(usual.text, 0xc0008000U);
  EXPECT_EQ(usual.page_tables, 0xc0004000U);
  EXPECT_EQ(usual.modules, 0xbf000000U);
  const KernelLayout lpae = layout("CONFIG_PAGE_OFFSET=0xC0000000\nCONFIG_ARM_LPAE=y\nCONFIG_ARCH_MESON=y\n");
  EXPECT_EQ(lpae.text, 0xc0208000U);
  EXPECT_EQ(lpae.page_tables, 0xc0203000U);
  for (const auto& [split, start] :
       {std::pair{"3G_OPT", 0xb0000000ULL}, std::pair{"2G", 0x80000000ULL}, std::pair{"1G", 0x40000000ULL}}) {
    const KernelLayout moved = layout("CONFIG_VMSPLIT_" + std::string(split) + "=y\nCONFIG_THUMB2_KERNEL=y\n");
    EXPECT_EQ(moved.start, start);
    EXPECT_FALSE(moved.is_default);
    EXPECT_EQ(moved.modules, start - (8U << 20));
    EXPECT_THAT(describe(moved, board), HasSubstr("not from 0xc0000000, the board's default"));
  }
  EXPECT_THAT(layout("CONFIG_XEN=y\n").why, HasSubstr("VMSPLIT_3G, the default"));
}

TEST(BoardKernel, RulesOfTheBoardAreHeldToo) {
  const Board board = shipped("cubieboard2");
  const auto rules = config_rules(board);
  const auto verdicts = [&](const std::string& name) {
    std::map<std::string, RuleVerdict> out;
    const auto found = read_config_file(std::string(XSTACK_CONFIGS) + "/" + name);
    EXPECT_TRUE(found);
    unsigned lpae = 0;
    for (const CheckedRule& one : check_role(found->config, ConfigArch::arm, ConfigRole::dom0, rules).rules) {
      out[std::string(one.option)] = one.verdict;
      lpae += one.option == "ARM_LPAE" ? 1 : 0;
    }
    EXPECT_EQ(lpae, 1U) << "the board's rule stands in place of the general one";
    return out;
  };
  const auto defconfig = verdicts("sunxi_defconfig");
  EXPECT_EQ(defconfig.at("ARCH_SUNXI"), RuleVerdict::met);
  EXPECT_EQ(defconfig.at("MMC_SUNXI"), RuleVerdict::met);
  EXPECT_EQ(defconfig.at("MACH_SUN7I"), RuleVerdict::unknown) << "a defconfig does not mention defaults";
  const auto none = KernelConfig::parse("# Automatically generated file; DO NOT EDIT.\nCONFIG_ARM=y\n");
  const RoleCheck check = check_role(*none, ConfigArch::arm, ConfigRole::dom0, rules);
  EXPECT_THAT(config_fragment(*none, {&check, 1}), HasSubstr("\nCONFIG_MACH_SUN7I=y\n"));
  EXPECT_THAT(check_role(*none, ConfigArch::arm, ConfigRole::domu, rules).rules.size(),
              check_role(*none, ConfigArch::arm, ConfigRole::domu).rules.size())
      << "a board says nothing of a domU";
}

/// What a person read in the whole configurations: all that the boards need is there, but Xen itself in two of them.
TEST(BoardKernel, RealConfigurations) {
  const std::pair<const char*, RoleVerdict> cases[] = {{"boards-debian-6.1-armmp", RoleVerdict::fit},
                                                       {"boards-sunxi", RoleVerdict::unfit},
                                                       {"boards-multi_v7", RoleVerdict::unfit}};
  for (const auto& [name, verdict] : cases) {
    const auto found = read_config_file(std::string(XSTACK_CONFIGS) + "/" + name);
    ASSERT_TRUE(found);
    for (const char* which : {"cubieboard2", "orangepi-pc"}) {
      SCOPED_TRACE(std::string(name) + " on " + which);
      const Board board = shipped(which);
      const auto rules = config_rules(board);
      const RoleCheck check = check_role(found->config, ConfigArch::arm, ConfigRole::dom0, rules);
      EXPECT_EQ(check.verdict, verdict);
      for (const CheckedRule& one : check.rules) {
        const bool of_board = one.rule >= rules.data() && one.rule < rules.data() + rules.size();
        EXPECT_TRUE(!of_board || one.verdict == RuleVerdict::met || one.verdict == RuleVerdict::noted) << one.option;
      }
      EXPECT_TRUE(kernel_layout(board, found->config)->is_default);
    }
  }
}

/// What the guest's memory shows wins over the profile, and a disagreement is a warning.
TEST_F(Folder, TheGuestWins) {
  write("two", R"({"xstack_board": 1, "kind": "board", "name": "two", "title": "t", "include": ["part-sun7i-a20"],
                   "facts": {"linux.kernel_start": {"value": "0x80000000", "source": "the test"}}})");
  ::setenv("XDG_CONFIG_HOME", path_.c_str(), 1);
  const auto info = [&](const std::string& board, const std::string& guest) {
    StringOutput out;
    StringOutput err;
    const std::vector<std::string> words = {"info", "--board", board, "--core",
                                            kSource + "/tests/data/" + guest + "/capture.zst"};
    EXPECT_EQ(run(words, real_backend(), {out, err}), ExitStatus::whole) << err.text();
    return out.text();
  };
  EXPECT_THAT(info("cubieboard2", "arm32-6.1-short-sysrq"), Not(HasSubstr("warning")));
  EXPECT_THAT(info("two", "arm32-6.1-short-sysrq"),
              testing::AllOf(HasSubstr("kernel start  0xc0300000"),
                             HasSubstr("the kernel's start is 0xc0300000 in the guest's memory; 0x80000000, the board "
                                       "two's default, is not used")));
  EXPECT_THAT(info("cubieboard2", "arm64-6.1-panic"),
              HasSubstr("the board cubieboard2 is arm32, the guest is arm64: its defaults are not used"));
  ::unsetenv("XDG_CONFIG_HOME");
}

}  // namespace
}  // namespace xstack
