// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/debuginfod.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace xstack {
namespace {

using testing::HasSubstr;

/// Runs with the fake client library of this folder (this program's run path leads there).
class Debuginfod : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("DEBUGINFOD_URLS", "http://nowhere.invalid/", 1);
    ::setenv("FAKE_DEBUGINFOD_ID", "00112233445566778899aabbccddeeff00112233", 1);
    ::setenv("FAKE_DEBUGINFOD_FILE", "/dev/null", 1);
  }
};

TEST_F(Debuginfod, TheFileOfABuildId) {
  const auto path = ask_debuginfod("00112233445566778899aabbccddeeff00112233");
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_EQ(*path, "/dev/null");
}

TEST_F(Debuginfod, ABuildIdThatNobodyHas) {
  const auto path = ask_debuginfod("ffffffffffffffffffffffffffffffffffffffff");
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().code, Errc::not_found);
  EXPECT_THAT(path.error().message, HasSubstr("ffffffffffffffffffffffffffffffffffffffff"));
}

TEST_F(Debuginfod, NobodyToAsk) {
  ::unsetenv("DEBUGINFOD_URLS");
  const auto path = ask_debuginfod("00112233445566778899aabbccddeeff00112233");
  ASSERT_FALSE(path);
  EXPECT_THAT(path.error().message, HasSubstr("DEBUGINFOD_URLS"));
}

}  // namespace
}  // namespace xstack
