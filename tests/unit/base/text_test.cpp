// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/text.h"

#include <gtest/gtest.h>

namespace xstack {
namespace {

TEST(Escape, LeavesPlainAndUtf8TextAlone) {
  EXPECT_EQ(escape("do_idle+0x1/0x2 \xc3\xa9"), "do_idle+0x1/0x2 \xc3\xa9");
}

TEST(Escape, TerminalSequencesAndControls) {
  EXPECT_EQ(escape("\x1b[31mred\r\n\x7f"), "\\x1b[31mred\\x0d\\x0a\\x7f");
  EXPECT_EQ(escape("\xc2\x9b"), "\\u{9b}");  // C1 CSI in UTF-8
  EXPECT_EQ(escape("a\\x1b"), "a\\\\x1b");   // an escaped one and a literal one stay apart
}

TEST(Escape, InvalidUtf8) {
  EXPECT_EQ(escape("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(escape("\xc0\x80"), "\\xc0\\x80");           // overlong NUL
  EXPECT_EQ(escape("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(escape("\xe2\x82"), "\\xe2\\x82");           // cut short
}

TEST(Escape, TextThatReordersOrHides) {
  EXPECT_EQ(escape("\xe2\x80\xae"), "\\u{202e}");
}

}  // namespace
}  // namespace xstack
