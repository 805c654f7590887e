// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/frame_map.h"

#include <gtest/gtest.h>

namespace xstack {
namespace {

TEST(FrameMap, FindsInRunsOfAnyOrder) {
  FrameMap map;
  ASSERT_TRUE(map.add(100, 0, 10));
  ASSERT_TRUE(map.add(50, 10));
  ASSERT_TRUE(map.add(51, 11));
  ASSERT_TRUE(map.add(53, 12));
  EXPECT_EQ(map.finish(), 0U);
  EXPECT_FALSE(map.find(49));
  EXPECT_EQ(map.find(50)->page, 10U);
  EXPECT_EQ(map.find(50)->count, 2U);
  EXPECT_FALSE(map.find(52));
  EXPECT_EQ(map.find(109)->page, 9U);
  EXPECT_EQ(map.find(109)->count, 1U);
  EXPECT_FALSE(map.find(110));
  EXPECT_EQ(map.frames(), 13U);
}

TEST(FrameMap, OverlapsAreCutAndCounted) {
  FrameMap map;
  ASSERT_TRUE(map.add(10, 0, 10));
  ASSERT_TRUE(map.add(15, 20, 10));
  ASSERT_TRUE(map.add(12, 40, 2));
  EXPECT_EQ(map.finish(), 7U);
  EXPECT_EQ(map.find(19)->page, 9U);
  EXPECT_EQ(map.find(20)->page, 25U);
  EXPECT_EQ(map.find(24)->page, 29U);
  EXPECT_FALSE(map.find(25));
  ASSERT_EQ(map.ranges().size(), 1U);
  EXPECT_EQ(map.ranges()[0].count, 15U);
}

TEST(FrameMap, RefusesFramesThatNoAddressNames) {
  FrameMap map;
  EXPECT_FALSE(map.add(1ULL << 52, 0));
  EXPECT_FALSE(map.add((1ULL << 52) - 1, 0, 2));
  EXPECT_FALSE(map.add(5, 0, ~0ULL));
  EXPECT_TRUE(map.add((1ULL << 52) - 1, 0));
  map.finish();
  EXPECT_EQ(map.frames(), 1U);
}

}  // namespace
}  // namespace xstack
