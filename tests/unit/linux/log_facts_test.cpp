// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/log_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xstack {
namespace {

using testing::SizeIs;

TEST(LogFacts, ComeBackAsTheyWere) {
  KernelLog log;
  log.found_by = "lockless ring";
  log.lost = 7;
  log.unfinished = 1;
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    bytes.push_back(static_cast<char>(i));
  }
  log.records.push_back({.seq = 7,
                         .time_ns = 123456789012345,
                         .level = 2,
                         .facility = 1,
                         .text = bytes,
                         .joined = true,
                         .cpu = 3,
                         .tid = 0,
                         .comm = "sh",
                         .subsystem = "usb",
                         .device = "+usb:1"});
  log.records.push_back({.seq = {}, .time_ns = 0, .text = ""});
  const auto back = read_log_facts(write_log_facts(log));
  ASSERT_TRUE(back);
  ASSERT_THAT(back->records, SizeIs(2));
  const LogRecord& first = back->records[0];
  EXPECT_EQ(first.text, bytes);
  EXPECT_EQ(first.seq, 7U);
  EXPECT_EQ(first.time_ns, 123456789012345U);
  EXPECT_EQ(first.level, 2U);
  EXPECT_EQ(first.facility, 1U);
  EXPECT_TRUE(first.joined);
  EXPECT_EQ(first.cpu, 3U);
  EXPECT_EQ(first.tid, 0U);
  EXPECT_EQ(first.comm, "sh");
  EXPECT_EQ(first.subsystem, "usb");
  EXPECT_EQ(first.device, "+usb:1");
  EXPECT_FALSE(back->records[1].seq || back->records[1].cpu || back->records[1].joined);
  EXPECT_EQ(back->lost, 7U);
  EXPECT_EQ(back->unfinished, 1U);
  EXPECT_EQ(back->found_by, "lockless ring");
}

TEST(LogFacts, OfALargeLogTheNewestIsKept) {
  KernelLog log;
  for (int i = 0; i < 2000; ++i) {
    log.records.push_back({.seq = i, .text = std::string(1000, 'x')});
  }
  const auto back = read_log_facts(write_log_facts(log));
  ASSERT_TRUE(back);
  EXPECT_GT(back->records.size(), 500U);
  EXPECT_LT(back->records.size(), 530U);
  EXPECT_EQ(back->records.back().seq, 1999U);
  EXPECT_THAT(back->warnings, SizeIs(1));
}

TEST(LogFacts, WhatMakesNoSenseIsLeftOut) {
  EXPECT_FALSE(read_log_facts({}));
  EXPECT_FALSE(read_log_facts({{"log", "[1]"}}));
  EXPECT_FALSE(read_log_facts({{"log", "{\"records\":{}}"}}));
  const auto some = read_log_facts(
      {{"log",
        R"({"records":[1,{"t":-1,"p":1,"x":"a"},{"t":1,"p":99999,"x":"a"},{"t":1,"p":6,"x":5},{"t":1,"p":6,"x":"b"}]})"}});
  ASSERT_TRUE(some);
  ASSERT_THAT(some->records, SizeIs(1));
  EXPECT_EQ(some->records[0].text, "b");
  EXPECT_THAT(some->warnings, SizeIs(1));
}

}  // namespace
}  // namespace xstack
