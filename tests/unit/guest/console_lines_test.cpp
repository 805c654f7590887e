// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/console_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace xstack::xen {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ConsoleLines, ThoseThatNameTheDomainAndNoOthers) {
  const auto log = lines_of_domain(
      "(XEN) d3v0: vGICD: unhandled word write 0xffffffff to ICACTIVER4\r\n"
      "(XEN) d30v0: vGICD: unhandled word write 0xffffffff to ICACTIVER4\n"
      "(XEN) d1v3: vGICD: unhandled word write 0xffffffff to ICACTIVER4\n"
      "(XEN) arch/arm/traps.c:2012:d3v1 HSR=0x93830007 pc=0xffff800008c4f0a4 gva=0 gpa=0\n"
      "(XEN) Bad frame d3\n"
      "(XEN) d3v0x and xd3 and d3abc\n"
      "(d3) what the guest itself printed\n"
      "(XEN) [2026-11-28 18:00:00] Domain 3 shutdown\n"
      "d3v0 without Xen's prefix",
      3);
  EXPECT_THAT(log.lines,
              ElementsAre("(XEN) d3v0: vGICD: unhandled word write 0xffffffff to ICACTIVER4",
                          "(XEN) arch/arm/traps.c:2012:d3v1 HSR=0x93830007 pc=0xffff800008c4f0a4 gva=0 gpa=0",
                          "(XEN) Bad frame d3", "(XEN) [2026-11-28 18:00:00] Domain 3 shutdown"));
  EXPECT_EQ(log.older, 0U);
}

TEST(ConsoleLines, ACrashComesWithItsRegisters) {
  const auto log = lines_of_domain(
      "(XEN) Domain 3 (vcpu#0) crashed on cpu#1:\n"
      "(XEN) ----[ Xen-4.17.5  x86_64  debug=n  Not tainted ]----\n"
      "(XEN) RIP:    0010:[<ffffffff81000000>]\n"
      "(XEN) d4v0 Unhandled: vec 6\n"
      "(XEN) something else\n",
      3);
  EXPECT_EQ(log.lines.size(), 3U);
  EXPECT_THAT(lines_of_domain("(XEN) Domain 3 (vcpu#0) crashed on cpu#1:\ndom0 says\n(XEN) RIP: 1\n", 3).lines,
              ElementsAre("(XEN) Domain 3 (vcpu#0) crashed on cpu#1:"));
}

TEST(ConsoleLines, SavedStateIsNothingOfTheGuests) {
  const auto log = lines_of_domain(
      "(XEN) d4v0 Triple fault - invoking HVM shutdown action 1\n"
      "(XEN) HVM d4 save: RTC\n"
      "(XEN) HVM d4v1 restore: MTRR 1\n"
      "(XEN) [2026-11-28 18:00:00] HVM d4v0 save: CPU\n",
      4);
  EXPECT_THAT(log.lines, ElementsAre("(XEN) d4v0 Triple fault - invoking HVM shutdown action 1"));
  EXPECT_EQ(log.older, 0U);
}

TEST(ConsoleLines, OnlyTheLast) {
  std::string ring;
  for (int i = 0; i < 100; ++i) {
    ring += "(XEN) d7v0 line " + std::to_string(i) + "\n";
  }
  ring += "(XEN) d7v0 " + std::string(5000, 'x');
  const auto log = lines_of_domain(ring, 7);
  EXPECT_EQ(log.lines.size(), kLinesKept);
  EXPECT_EQ(log.older, 101 - kLinesKept);
  EXPECT_EQ(log.lines.front(), "(XEN) d7v0 line 85");
  EXPECT_EQ(log.lines.back().size(), 400U);
  EXPECT_THAT(lines_of_domain("", 7).lines, IsEmpty());
}

}  // namespace
}  // namespace xstack::xen
