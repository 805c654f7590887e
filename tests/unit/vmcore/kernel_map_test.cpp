// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/kernel_map.h"

#include <gtest/gtest.h>

#include "arch/x86/paging.h"
#include "tests/support/fake_memory.h"
#include "tests/support/identity_translation.h"

namespace xstack {
namespace {

using x86::PageTables;
using x86::Paging;
using x86::PagingMode;

std::vector<std::shared_ptr<const Translation>> four_levels() {
  return {std::make_shared<PageTables>(Paging{PagingMode::four, GuestPhys(0x1000)})};
}

TEST(KernelMap, JoinsWhatIsConsecutiveAndSkipsHolesByTheTable) {
  test::FakePhys memory;
  memory.put<std::uint64_t>(GuestPhys(0x1000 + 0x100 * 8), 0x2063);
  memory.put<std::uint64_t>(GuestPhys(0x2000), 0x3063);
  memory.put<std::uint64_t>(GuestPhys(0x3000), 0x4063);
  memory.put<std::uint64_t>(GuestPhys(0x3000 + 1 * 8), 0x4000'00e3);  // 2 MiB
  memory.put<std::uint64_t>(GuestPhys(0x4000 + 4 * 8), 0x7000063);
  memory.put<std::uint64_t>(GuestPhys(0x4000 + 5 * 8), 0x7001063);
  memory.put<std::uint64_t>(GuestPhys(0x4000 + 6 * 8), 0x9000063);
  memory.put<std::uint64_t>(GuestPhys(0x4000 + 511 * 8), 0x3ffff063);
  const auto map = map_kernel(memory, four_levels(), GuestVirt(0xffff'8000'0000'0000), GuestVirt(~0ULL));
  EXPECT_FALSE(map.cut);
  ASSERT_EQ(map.runs.size(), 3U);
  EXPECT_EQ(map.runs[0].at.value, 0xffff'8000'0000'4000U);
  EXPECT_EQ(map.runs[0].phys.value, 0x7000000U);
  EXPECT_EQ(map.runs[0].bytes, 0x2000U);
  EXPECT_EQ(map.runs[1].phys.value, 0x9000000U);
  EXPECT_EQ(map.runs[2].at.value, 0xffff'8000'001f'f000U);
  EXPECT_EQ(map.runs[2].bytes, 0x1000U + 0x200000U) << "the last page and the large page behind it are consecutive";
  EXPECT_LT(memory.reads, 10'000U) << "a hole is one step for each empty entry, not for each page";
}

TEST(KernelMap, ReachesTheLastByteOfTheAddressSpace) {
  test::FakePhys memory;
  memory.put<std::uint64_t>(GuestPhys(0x1000 + 0x1ff * 8), 0x2063);
  memory.put<std::uint64_t>(GuestPhys(0x2000 + 0x1ff * 8), 0x4000'00e3);  // 1 GiB
  const auto map = map_kernel(memory, four_levels(), GuestVirt(0xffff'8000'0000'0000), GuestVirt(~0ULL));
  ASSERT_EQ(map.runs.size(), 1U);
  EXPECT_EQ(map.runs[0].at.value + (map.runs[0].bytes - 1), ~0ULL);
}

TEST(KernelMap, TablesInACircleEnd) {
  test::FakePhys memory;
  for (std::uint64_t i = 0; i < 512; ++i) {
    memory.put<std::uint64_t>(GuestPhys(0x1000 + i * 8), 0x1063);  // every entry is the table itself
  }
  KernelMapLimits limits;
  limits.walks = 5000;
  const auto map = map_kernel(memory, four_levels(), GuestVirt(0xffff'8000'0000'0000), GuestVirt(~0ULL), limits);
  EXPECT_TRUE(map.cut);
  EXPECT_LE(memory.reads, 5000U * 4 + 4);
  limits.walks = 1U << 20;
  limits.runs = 7;
  const auto few = map_kernel(memory, four_levels(), GuestVirt(0xffff'8000'0000'0000), GuestVirt(~0ULL), limits);
  EXPECT_TRUE(few.cut);
  EXPECT_LE(few.runs.size(), 7U);
}

TEST(KernelMap, APageSeenEverywhereIsGivenAFewTimes) {
  test::FakePhys memory;
  memory.put<std::uint64_t>(GuestPhys(0x1000 + 0x100 * 8), 0x2063);
  memory.put<std::uint64_t>(GuestPhys(0x2000), 0x3063);
  memory.put<std::uint64_t>(GuestPhys(0x3000), 0x4063);
  for (std::uint64_t i = 0; i < 500; ++i) {
    memory.put<std::uint64_t>(GuestPhys(0x4000 + i * 8), 0x7000063);
  }
  memory.put<std::uint64_t>(GuestPhys(0x4000 + 510 * 8), 0x9000063);
  KernelMapLimits limits;
  limits.runs = 20;
  const auto map = map_kernel(memory, four_levels(), GuestVirt(0xffff'8000'0000'0000), GuestVirt(~0ULL), limits);
  EXPECT_FALSE(map.cut);
  EXPECT_EQ(map.runs.size(), kMaxAliases + 1);
  EXPECT_EQ(map.aliases_left_out, 500 - kMaxAliases);
  EXPECT_EQ(map.runs.back().phys.value, 0x9000000U) << "what comes behind is not lost";
}

TEST(KernelMap, AsksTheNextTranslationWhereOneHasNothing) {
  test::FakePhys memory;
  const std::vector<std::shared_ptr<const Translation>> both{
      std::make_shared<test::IdentityTranslation>([](std::uint64_t va) { return va >> 12 == 0xc0001; }),
      std::make_shared<test::IdentityTranslation>([](std::uint64_t va) { return va >> 12 == 0xc0003; })};
  const auto map = map_kernel(memory, both, GuestVirt(0xc0000000), GuestVirt(0xc00fffff));
  ASSERT_EQ(map.runs.size(), 2U);
  EXPECT_EQ(map.runs[0].at.value, 0xc0001000U);
  EXPECT_EQ(map.runs[1].at.value, 0xc0003000U);
}

}  // namespace
}  // namespace xstack
