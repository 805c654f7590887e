// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/ram_map.h"

#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"

namespace xstack::xen {
namespace {

constexpr std::uint64_t kMiB = 256;  // frames

TEST(RamMap, ArmBanks) {
  const auto small = arm_ram(0x47fff);
  ASSERT_EQ(small.size(), 1U);
  EXPECT_EQ(small[0].count, 128 * kMiB);
  const auto large = arm_ram(0x23ffff);
  ASSERT_EQ(large.size(), 2U);
  EXPECT_EQ(large[0].count, 3072 * kMiB);
  EXPECT_EQ(large[1].first, GuestPhys(0x200000000));
  EXPECT_EQ(large[1].count, 1024 * kMiB);
  EXPECT_EQ(arm_ram(~0ULL)[1].count, 0xfe00000000 / kXenPageSize);
  EXPECT_EQ(arm_ram(0x10000)[0].count, 0x10001U);
}

TEST(RamMap, HvmLeavesTheHolesOut) {
  // A PVH guest of 256 MiB: special pages at the end of the first 4 GiB, nothing else up there.
  const auto small = hvm_ram(0xfefff, 256 * kMiB);
  ASSERT_EQ(small.size(), 2U);
  EXPECT_EQ(small[0].count, 0xa0U);
  EXPECT_EQ(small[1].first, GuestPhys(0xc0000));
  EXPECT_EQ(small[1].count, 256 * kMiB + 0x20 - 0xc0);
  const auto large = hvm_ram(0x13ffff, 4096 * kMiB);
  ASSERT_EQ(large.size(), 3U);
  EXPECT_EQ(large[1].count, 0xf0000U - 0xc0);
  EXPECT_EQ(large[2].first, GuestPhys(0x100000000));
  EXPECT_EQ(large[2].count, 0x40000U);
}

class PvRam : public testing::Test {
 protected:
  static constexpr std::uint64_t kInfo = 0x500;
  void put(std::uint64_t frame, std::uint64_t index, std::uint64_t value) {
    memory_.put<std::uint64_t>(GuestPhys(frame * kXenPageSize + index * 8), value);
  }
  void info(std::size_t index, std::uint64_t value) {
    memory_.put<std::uint64_t>(GuestPhys(kInfo * kXenPageSize + 3088 + index * 8), value);
  }
  void expect_table() {
    const auto ram = pv_ram(memory_, kInfo);
    ASSERT_EQ(ram.size(), 2U);
    EXPECT_EQ(ram[0].first, GuestPhys(0x9000ULL * kXenPageSize));
    EXPECT_EQ(ram[0].count, 2U);
    EXPECT_EQ(ram[1].first, GuestPhys(0xa000ULL * kXenPageSize));
    EXPECT_EQ(ram[1].count, 1U);
  }
  void fill_table(std::uint64_t first, std::uint64_t second) {
    put(first, 0, 0x9001);
    put(first, 1, ~0ULL);
    put(first, 2, 0xa000);
    put(first, 3, (1ULL << 62) | 0xfee00);  // an identity frame
    put(second, 0, 0x9000);
    put(second, 1, 0xbad);  // behind the last pfn
    for (std::uint64_t i = 4; i < 512; ++i) {
      put(first, i, ~0ULL);
    }
  }
  test::FakePhys memory_;
};

TEST_F(PvRam, FromTheListOfLists) {
  info(0, 513);
  info(1, 0x600);
  put(0x600, 0, 0x601);
  put(0x601, 0, 0x602);
  put(0x601, 1, 0x603);
  fill_table(0x602, 0x603);
  expect_table();
}

TEST_F(PvRam, FromTheLinearTable) {
  const std::uint64_t vaddr = 0xffffc90000000000;
  info(0, 513);
  info(1, ~0ULL);
  info(3, 0x700ULL << 12);
  info(4, vaddr);
  put(0x700, (vaddr >> 39) & 511, 0x701ULL << 12 | 0x67);
  put(0x701, (vaddr >> 30) & 511, 0x702ULL << 12 | 0x67);
  put(0x702, (vaddr >> 21) & 511, 0x703ULL << 12 | 0x67);
  put(0x703, 0, 0x704ULL << 12 | 1ULL << 63 | 0x63);
  put(0x703, 1, 0x705ULL << 12 | 0x63);
  fill_table(0x704, 0x705);
  expect_table();
}

TEST_F(PvRam, LiesDoNotLast) {
  EXPECT_TRUE(pv_ram(memory_, 0).empty());
  EXPECT_TRUE(pv_ram(memory_, ~0ULL).empty());
  info(0, ~0ULL);
  info(1, kInfo);
  EXPECT_LE(pv_ram(memory_, kInfo).size(), 1024U);
  info(3, kInfo << 12);
  info(4, ~0ULL);
  EXPECT_LE(pv_ram(memory_, kInfo).size(), 1024U);
}

}  // namespace
}  // namespace xstack::xen
