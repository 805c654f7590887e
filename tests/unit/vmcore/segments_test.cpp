// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/segments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "vmcore/pseudo_physical.h"

namespace xstack {
namespace {

constexpr std::uint64_t kPage = kXenPageSize;

FrameRange frames(std::uint64_t first, std::uint64_t count) {
  return {GuestPhys(first * kPage), count};
}

MappedRun mapped(std::uint64_t at, std::uint64_t frame, std::uint64_t pages) {
  return {GuestVirt(at), GuestPhys(frame * kPage), pages * kPage};
}

TEST(Segments, EveryPageIsInOneOfThemAndDevicesAreInNone) {
  const std::vector<FrameRange> present{frames(16, 8), frames(32, 8)};
  KernelMap map;
  // Two pages before, over the hole between, and two pages beyond; and an alias of two pages in the middle.
  map.runs = {mapped(0xc0000000, 14, 28), mapped(0xf0000000, 34, 2)};
  const auto plan = plan_segments(present, map);
  EXPECT_EQ(plan.bytes, 16 * kPage);
  ASSERT_EQ(plan.segments.size(), 3U);
  EXPECT_EQ(plan.segments[0].virt->value, 0xc0000000U + 2 * kPage);
  EXPECT_EQ(plan.segments[0].bytes, 8 * kPage);
  EXPECT_EQ(plan.segments[0].data, 0U);
  EXPECT_EQ(plan.segments[1].virt->value, 0xc0000000U + 18 * kPage);
  EXPECT_EQ(plan.segments[1].data, 8 * kPage);
  EXPECT_EQ(plan.segments[2].virt->value, 0xf0000000U);
  EXPECT_EQ(plan.segments[2].data, 10 * kPage) << "the same bytes of the file";
}

TEST(Segments, WhatTheKernelDoesNotMapHasNoVirtualAddress) {
  const std::vector<FrameRange> present{frames(16, 8)};
  KernelMap map;
  map.runs = {mapped(0xc0000000, 18, 2), mapped(0xd0000000, 18, 3), mapped(0xe0000000, 22, 1)};
  const auto plan = plan_segments(present, map);
  std::multiset<std::pair<std::uint64_t, std::uint64_t>> unmapped;
  for (const auto& segment : plan.segments) {
    if (!segment.virt) {
      unmapped.emplace(segment.phys.value / kPage, segment.bytes / kPage);
      EXPECT_EQ(segment.data, segment.phys.value - 16 * kPage);
    }
  }
  EXPECT_EQ(unmapped, (std::multiset<std::pair<std::uint64_t, std::uint64_t>>{{16, 2}, {21, 1}, {23, 1}}));
  EXPECT_EQ(plan.segments.front().data, 0U);
}

TEST(Segments, MoreMappingsThanAFileCanSayAreCutAndMemoryIsNot) {
  const std::vector<FrameRange> present{frames(0, 100)};
  KernelMap map;
  for (std::uint64_t i = 0; i < kMaxSegments; ++i) {
    map.runs.push_back(mapped(0x10000000 + i * 4 * kPage, i % 50, 2));
  }
  const auto plan = plan_segments(present, map);
  EXPECT_TRUE(plan.cut);
  EXPECT_LE(plan.segments.size(), kMaxSegments);
  EXPECT_EQ(plan.bytes, 100 * kPage);
  std::vector<bool> covered(100);
  for (const auto& segment : plan.segments) {
    for (std::uint64_t i = 0; i < segment.bytes / kPage; ++i) {
      covered[segment.phys.value / kPage + i] = true;
    }
  }
  EXPECT_EQ(std::count(covered.begin(), covered.end(), true), 100);
}

TEST(PseudoPhysical, NumbersFramesByTheDirectMap) {
  // Machine frames in descending order, one that the direct map does not show, and the kernel's text beside it.
  const std::vector<FrameRange> present{frames(90, 5), frames(200, 1)};
  KernelMap map;
  map.runs = {mapped(0xffff888000000000, 94, 1), mapped(0xffff888000001000, 93, 1), mapped(0xffff888000002000, 92, 1),
              mapped(0xffff888000004000, 90, 1), mapped(0xffffffff81000000, 93, 1), mapped(0xffffffff81001000, 92, 1)};
  const auto out = number_as_kernel(map, GuestVirt(0xffff888000000000), present);
  ASSERT_EQ(out.present.size(), 2U);
  EXPECT_EQ(out.present[0].first.value, 0U);
  EXPECT_EQ(out.present[0].count, 3U);
  EXPECT_EQ(out.present[1].first.value, 4 * kPage);
  EXPECT_EQ(out.present[1].count, 3U) << "frames 90, and behind it those that have no number: 91 and 200";
  std::uint64_t machine = 0;
  for (const auto& range : out.machine) {
    machine += range.count;
  }
  EXPECT_EQ(machine, 6U);
  EXPECT_EQ(out.machine[0].first.value, 94 * kPage);
  ASSERT_EQ(out.map.runs.size(), 3U);
  EXPECT_EQ(out.map.runs[0].bytes, 3 * kPage) << "consecutive once they are numbered";
  EXPECT_EQ(out.map.runs[2].at.value, 0xffffffff81000000U);
  EXPECT_EQ(out.map.runs[2].phys.value, 1 * kPage);
  EXPECT_EQ(out.map.runs[2].bytes, 2 * kPage);
}

TEST(PseudoPhysical, ARunThatIsThereInPartKeepsItsNumbers) {
  const std::vector<FrameRange> present{frames(50, 2), frames(100, 4)};
  KernelMap map;
  // Two frames; five of which the first is not there (a device's, say); and frame 50 again, which has its number.
  map.runs = {mapped(0xffff888000000000, 50, 2), mapped(0xffff888000002000, 99, 5), mapped(0xffff888000007000, 50, 1)};
  const auto out = number_as_kernel(map, GuestVirt(0xffff888000000000), present);
  ASSERT_EQ(out.table.size(), 2U);
  EXPECT_EQ(out.table[1].pseudo, 3U);
  EXPECT_EQ(out.table[1].machine, 100U);
  EXPECT_EQ(out.table[1].count, 4U);
  ASSERT_EQ(out.present.size(), 2U);
  EXPECT_EQ(out.present[1].first.value, 3 * kPage);
  ASSERT_EQ(out.map.runs.size(), 3U);
  EXPECT_EQ(out.map.runs[1].at.value, 0xffff888000003000U);
  EXPECT_EQ(out.map.runs[1].phys.value, 3 * kPage);
  EXPECT_EQ(out.map.runs[2].phys.value, 0U) << "the alias has the number of its frame";
}

}  // namespace
}  // namespace xstack
