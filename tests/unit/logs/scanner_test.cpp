// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "logs/anchors.h"
#include "logs/signature.h"
#include "logs/tokens.h"
#include "logs/writers.h"
#include "tests/unit/logs/collector.h"

namespace xstack {
namespace {

using test::Collector;
using test::scan_into;

TEST(Anchors, EverySearchFindsTheSame) {
  std::mt19937 random(3);
  const auto searches = logs::searches();
  const auto anchors = logs::anchors();
  for (int round = 0; round < 200; ++round) {
    std::string text(random() % 400, ' ');
    for (char& c : text) {
      c = static_cast<char>("abcBUGlTr:' *-\n\xff"[random() % 16]);
    }
    if (random() % 2 == 0) {
      const auto anchor = anchors[random() % anchors.size()];
      text.insert(random() % (text.size() + 1), anchor);
    }
    for (const auto& search : searches) {
      for (std::size_t from = 0; from <= text.size(); from += 13) {
        std::uint64_t ends = 0;
        const std::size_t at = search.find(text, from, ends);
        std::uint64_t plain_ends = 0;
        EXPECT_EQ(at, searches.front().find(text, from, plain_ends)) << search.name;
        const auto before = std::string_view(text).substr(0, at).substr(from);
        EXPECT_EQ(ends, static_cast<std::uint64_t>(std::count(before.begin(), before.end(), '\n'))) << search.name;
        EXPECT_EQ(ends, plain_ends);
      }
      EXPECT_EQ(search.count('b', text), static_cast<std::size_t>(std::count(text.begin(), text.end(), 'b')));
    }
    EXPECT_EQ(logs::count_of('b', text), static_cast<std::size_t>(std::count(text.begin(), text.end(), 'b')));
  }
}

TEST(Anchors, EachIsFoundAtEveryPlace) {
  for (const auto anchor : logs::anchors()) {
    for (std::size_t at = 0; at < 140; ++at) {
      const std::string text = std::string(at, 'z') + std::string(anchor) + std::string(at % 80, 'z');
      std::uint64_t ends = 0;
      EXPECT_EQ(logs::find_anchor(text, 0, ends), at) << anchor;
      for (const auto& search : logs::searches()) {
        EXPECT_EQ(search.find(text, 0, ends), at) << anchor << " " << search.name;
      }
      EXPECT_EQ(ends, 0U);
    }
  }
}

TEST(Scanner, NumbersLinesFromOne) {
  Collector found;
  scan_into(found, "a\nb\n\nKernel panic - not syncing: x\nc\n", 1000);
  ASSERT_EQ(found.reports.size(), 1U);
  EXPECT_EQ(found.reports[0].first_line, 4U);
}

TEST(Scanner, PassesLinesWithoutEndOnAndFindsWhatFollows) {
  const std::string endless(logs::Scanner::kLongestLine * 5 + 17, 'B');
  const std::string log = "one\n" + endless + "Kernel panic - not syncing: no\n" + "Kernel panic - not syncing: yes\n";
  for (const std::size_t piece : {std::size_t{1 << 20}, std::size_t{4096}, std::size_t{65536}}) {
    Collector found;
    scan_into(found, log, piece);
    EXPECT_EQ(found.text(), log);
    ASSERT_EQ(found.reports.size(), 1U) << piece;
    EXPECT_EQ(found.reports[0].title, "Kernel panic - not syncing: yes");
    EXPECT_EQ(found.reports[0].first_line, 3U);
  }
}

TEST(Scanner, HoldsNoMoreThanItsBound) {
  std::string log = "Kernel panic - not syncing: x\n";
  for (int i = 0; i < 100000; ++i) {
    log += " name+0x10/0x20\n";  // a trace without an end
  }
  Collector found;
  scan_into(found, log, 100000);
  EXPECT_EQ(found.text(), log);
  ASSERT_FALSE(found.reports.empty());
  EXPECT_TRUE(found.reports[0].truncated);
  EXPECT_LE(found.reports[0].frames.size(), 256U);
}

TEST(Scanner, TheLastLineNeedsNoEnd) {
  Collector found;
  scan_into(found, "x\nKernel panic - not syncing: end", 5);
  ASSERT_EQ(found.reports.size(), 1U);
  EXPECT_EQ(found.text(), "x\nKernel panic - not syncing: end");
}

TEST(Registers, ValuesMayStandBehindASegmentButNotBehindMany) {
  logs::Registers out;
  EXPECT_TRUE(logs::parse_register_line("RSP: 0018:ffffc9004044bc58 EFLAGS: 00010246", out));
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0], (std::pair<std::string, std::uint64_t>("rsp", 0xffffc9004044bc58)));
  out.clear();
  EXPECT_FALSE(logs::parse_register_line("sp: aa:bb:cc:dd", out));
  EXPECT_TRUE(out.empty());
}

TEST(Symbols, NamesHoldDotsAndPlusesAndFiles) {
  for (const std::string_view text : {"a.isra.0+0x1/0x2", "domain.c#f+0x1/0x2", "operator+x+0x1/0x2", "f+0/0xf0"}) {
    logs::Frame frame;
    std::string_view rest = text;
    EXPECT_TRUE(logs::take_symbol(rest, frame)) << text;
    EXPECT_TRUE(rest.empty());
  }
  EXPECT_EQ(logs::plain_function("domain.c#arch_f.isra.0"), "arch_f");
  EXPECT_EQ(logs::plain_function("__pfx_f"), "f");
}

TEST(Terminal, NothingRawReachesIt) {
  EXPECT_EQ(logs::for_terminal("a\\b\x1b[31m\tc\r\n\xff\n"), "a\\\\b\\x1b[31m\tc\n\\xff\n");
  EXPECT_EQ(logs::for_terminal("plain \\ text\r\n"), "plain \\ text\n");
}

}  // namespace
}  // namespace xstack
