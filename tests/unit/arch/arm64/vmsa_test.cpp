// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/vmsa.h"

#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

using namespace arm64;
using test::FakePhys;

constexpr std::uint64_t kMmuOn = 1;
constexpr std::uint64_t kTable = 3;
constexpr std::uint64_t kPage = 3;
constexpr std::uint64_t kBlock = 1;

constexpr std::uint64_t kTg1_4k = 2ULL << 30;
constexpr std::uint64_t kTg1_16k = 1ULL << 30;
constexpr std::uint64_t kTg1_64k = 3ULL << 30;
constexpr std::uint64_t kIps52 = 6ULL << 32;
constexpr std::uint64_t kDs = 1ULL << 59;
constexpr std::uint64_t t1sz(std::uint64_t va_bits) {
  return (64 - va_bits) << 16;
}

struct Walker {
  FakePhys memory;
  std::uint64_t tcr = 0;
  std::uint64_t ttbr0 = 0;
  std::uint64_t ttbr1 = 0;

  void entry(std::uint64_t table, std::uint64_t index, std::uint64_t value) {
    memory.put(GuestPhys(table + index * 8), value);
  }
  tl::expected<Mapping, Fault> walk(std::uint64_t va) {
    return make_translation(kMmuOn, tcr, ttbr0, ttbr1)->walk(memory, GuestVirt(va));
  }
};

TEST(Vmsa, FourLevelsOf4K) {
  // 0xffff'8000'0801'2345: indices 256, 0, 64, 18.
  Walker w{.tcr = t1sz(48) | kTg1_4k, .ttbr1 = 0x1234'0000'4000'0000 | 1};  // ASID and CnP are no address
  w.entry(0x4000'0000, 256, 0x4000'1000 | kTable);
  w.entry(0x4000'1000, 0, 0x4000'2000 | kTable);
  w.entry(0x4000'2000, 64, 0x4000'3000 | kTable | 0x7ULL << 59);  // hierarchical attributes
  w.entry(0x4000'3000, 18, 0x0060'0000'8888'8f03 | kPage);        // attributes, contiguous, UXN, PXN
  const auto m = w.walk(0xffff'8000'0801'2345);
  ASSERT_TRUE(m) << describe(m.error());
  EXPECT_EQ(m->phys.value, 0x8888'8345U);
  EXPECT_EQ(m->left, 0x1000U - 0x345U);
  EXPECT_EQ(m->page_size, 0x1000U);
  EXPECT_EQ(m->level, 3);
  const auto hole = w.walk(0xffff'8000'0801'3345);
  ASSERT_FALSE(hole);
  EXPECT_EQ(hole.error().kind, FaultKind::unmapped);
  EXPECT_EQ(hole.error().level, 3);
}

TEST(Vmsa, BlocksOf4K) {
  Walker w{.tcr = t1sz(39) | kTg1_4k, .ttbr1 = 0x5000'0000};  // 39 bits: starts at level 1
  w.entry(0x5000'0000, 0, 0x8000'0000 | kBlock);
  w.entry(0x5000'0000, 1, 0x5000'1000 | kTable);
  w.entry(0x5000'1000, 3, 0x60'0000 | kBlock);
  const auto gib = w.walk(0xffff'ff80'1234'5678);
  ASSERT_TRUE(gib);
  EXPECT_EQ(gib->phys.value, 0x9234'5678U);
  EXPECT_EQ(gib->level, 1);
  EXPECT_EQ(gib->left, 0x4000'0000U - 0x1234'5678U);
  const auto mib2 = w.walk(0xffff'ff80'4060'1234);
  ASSERT_TRUE(mib2);
  EXPECT_EQ(mib2->phys.value, 0x60'1234U);
  EXPECT_EQ(mib2->page_size, 0x20'0000U);
}

TEST(Vmsa, NoBlockWhereTheArchitectureHasNone) {
  Walker w{.tcr = t1sz(48) | kTg1_4k, .ttbr1 = 0x4000'0000};
  w.entry(0x4000'0000, 256, kBlock);  // level 0 has blocks with LPA2 only
  const auto m = w.walk(0xffff'8000'0000'0000);
  ASSERT_FALSE(m);
  EXPECT_EQ(m.error().kind, FaultKind::bad_table);
  EXPECT_EQ(m.error().level, 0);
}

TEST(Vmsa, AReservedLastLevelEntryIsAFault) {
  Walker w{.tcr = t1sz(25) | kTg1_4k, .ttbr1 = 0x4000'0000};  // 25 bits: level 2 with 16 entries
  w.entry(0x4000'0000, 15, 0x4000'1000 | kTable);
  w.entry(0x4000'1000, 511, 0x9000'0000 | 1);
  const auto m = w.walk(0xffff'ffff'ffff'f000);
  ASSERT_FALSE(m);
  EXPECT_EQ(m.error().kind, FaultKind::bad_table);
  EXPECT_EQ(m.error().level, 3);
}

TEST(Vmsa, FiveLevelsOfLpa2) {
  // 52-bit VA 0xfff0'0000'0000'0000 + ...: level -1 index = VA[51:48].
  Walker w{.tcr = t1sz(52) | kTg1_4k | kDs | kIps52, .ttbr1 = 0x4000'0000 | 0x3ULL << 2};  // root at 3 << 48
  const std::uint64_t root = 0x3'0000'4000'0000;
  w.entry(root, 15, 0x4000'1000 | kTable | 0x1ULL << 8);          // OA[51:50] = 1
  w.entry(0x4'0000'4000'1000, 256, 0x2'0000'4000'2000 | kTable);  // OA[49:48] in place
  w.entry(0x2'0000'4000'2000, 0, 0x4000'3000 | kTable);
  w.entry(0x4000'3000, 64, 0x4000'4000 | kTable);
  w.entry(0x4000'4000, 18, 0x1'0000'8888'8000 | kPage | 0x2ULL << 8);
  w.entry(0x4000'3000, 65, 0x4020'0000 | kBlock | 0x3ULL << 8);
  const auto m = w.walk(0xffff'8000'0801'2345);
  ASSERT_TRUE(m) << describe(m.error());
  EXPECT_EQ(m->phys.value, 0x9'0000'8888'8345U);
  const auto block = w.walk(0xffff'8000'0820'0010);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->phys.value, 0xc'0000'4020'0010U);
  EXPECT_EQ(block->level, 2);
}

TEST(Vmsa, Lpa2AllowsA512GibBlock) {
  Walker w{.tcr = t1sz(48) | kTg1_4k | kDs, .ttbr1 = 0x4000'0000};
  w.entry(0x4000'0000, 256, 0x80'0000'0000 | kBlock);
  const auto m = w.walk(0xffff'8001'2345'6789);
  ASSERT_TRUE(m);
  EXPECT_EQ(m->phys.value, 0x81'2345'6789U);
  EXPECT_EQ(m->level, 0);
}

TEST(Vmsa, FourLevelsOf16K) {
  // 48 bits of 16K: level 0 has two entries (VA[47]), then 11 bits a level.
  Walker w{.tcr = t1sz(48) | kTg1_16k, .ttbr1 = 0x4000'0040};  // a two-entry table is aligned to 16 bytes
  w.entry(0x4000'0040, 1, 0x4000'4000 | kTable);
  w.entry(0x4000'4000, 0, 0x4000'8000 | kTable);
  w.entry(0x4000'8000, 4, 0x4000'c000 | kTable);
  w.entry(0x4000'c000, 4, 0x8888'8000 | kPage);
  w.entry(0x4000'8000, 5, 0x200'0000 | kBlock);
  const auto m = w.walk(0xffff'8000'0801'2345);  // indices 1, 0, 4, 4; offset 0x2345
  ASSERT_TRUE(m) << describe(m.error());
  EXPECT_EQ(m->phys.value, 0x8888'a345U);
  EXPECT_EQ(m->page_size, 0x4000U);
  const auto block = w.walk(0xffff'8000'0a00'0008);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->phys.value, 0x200'0008U);
  EXPECT_EQ(block->page_size, 32U << 20);
}

TEST(Vmsa, ThreeLevelsOf16KAt47BitsAndLpa2Block) {
  Walker w{.tcr = t1sz(47) | kTg1_16k | kDs, .ttbr1 = 0x4000'0000};  // starts at level 1
  w.entry(0x4000'0000, 0, 0x10'0000'0000 | kBlock | 0x1ULL << 8);    // 64 GiB, OA[51:50] = 1
  const auto m = w.walk(0xffff'8000'0801'2345);
  ASSERT_TRUE(m) << describe(m.error());
  EXPECT_EQ(m->phys.value, 0x4'0010'0801'2345U);
  EXPECT_EQ(m->level, 1);
}

TEST(Vmsa, ThreeLevelsOf64KWith52BitAddresses) {
  // 52-bit VA of 64K: level 1 index VA[51:42] (10 bits), 13 bits a level.
  Walker w{.tcr = t1sz(52) | kTg1_64k | kIps52, .ttbr1 = 0x4000'0000 | 0x5ULL << 2};
  w.entry(0x5'0000'4000'0000, 0x3e0, 0x4001'0000 | 0x7ULL << 12 | kTable);
  w.entry(0x7'0000'4001'0000, 0, 0x4002'0000 | kTable);
  w.entry(0x4002'0000, 0x801, 0x8888'0000 | 0x9ULL << 12 | kPage);
  w.entry(0x7'0000'4001'0000, 1, 0x2000'0000 | 0xfULL << 12 | kBlock);
  const auto m = w.walk(0xffff'8000'0801'2345);
  ASSERT_TRUE(m) << describe(m.error());
  EXPECT_EQ(m->phys.value, 0x9'0000'8888'2345U);
  EXPECT_EQ(m->page_size, 0x1'0000U);
  const auto block = w.walk(0xffff'8000'2000'0004);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->phys.value, 0xf'0000'2000'0004U);
  EXPECT_EQ(block->page_size, 512U << 20);
}

TEST(Vmsa, With64KAnd48BitsOfPhysBits15To12AreNoAddress) {
  Walker w{.tcr = t1sz(42) | kTg1_64k | 5ULL << 32, .ttbr1 = 0x4000'0000};  // starts at level 2
  w.entry(0x4000'0000, 0, 0x4001'f000 | kTable);
  w.entry(0x4001'0000, 1, 0x8888'f000 | kPage);
  const auto m = w.walk(0xffff'fc00'0001'0008);
  ASSERT_TRUE(m) << describe(m.error());
  EXPECT_EQ(m->phys.value, 0x8888'0008U);
}

TEST(Vmsa, Bit55ChoosesTheHalf) {
  Walker w{.tcr = t1sz(39) | 25 | kTg1_4k | 1ULL << 37, .ttbr0 = 0x4000'0000, .ttbr1 = 0x5000'0000};
  w.entry(0x4000'0000, 0, 0x8000'0000 | kBlock);
  w.entry(0x5000'0000, 0, 0xc000'0000 | kBlock);
  EXPECT_EQ(w.walk(0x1234)->phys.value, 0x8000'1234U);
  EXPECT_EQ(w.walk(0xffff'ff80'0000'1234)->phys.value, 0xc000'1234U);
  EXPECT_EQ(w.walk(0xab00'0000'0000'1234)->phys.value, 0x8000'1234U);              // TBI0: a tag
  EXPECT_EQ(w.walk(0xabff'ff80'0000'1234).error().kind, FaultKind::out_of_range);  // no TBI1
  EXPECT_EQ(w.walk(0x0040'0000'0000'1234).error().kind, FaultKind::out_of_range);
  EXPECT_EQ(w.walk(0xffff'fe00'0000'0000).error().kind, FaultKind::out_of_range);
}

TEST(Vmsa, ADisabledHalfFaults) {
  Walker w{.tcr = t1sz(39) | kTg1_4k | 1ULL << 23, .ttbr1 = 0x5000'0000};
  w.entry(0x5000'0000, 0, 0xc000'0000 | kBlock);
  EXPECT_EQ(w.walk(0xffff'ff80'0000'1234).error().kind, FaultKind::out_of_range);
  // ... but not for a root that was found elsewhere.
  EXPECT_EQ(make_kernel_translation(w.tcr, GuestPhys(0x5000'0000))
                ->walk(w.memory, GuestVirt(0xffff'ff80'0000'1234))
                ->phys.value,
            0xc000'1234U);
}

TEST(Vmsa, AbsentTablesAndImpossibleSizes) {
  Walker w{.tcr = t1sz(48) | kTg1_4k, .ttbr1 = 0x4000'0000};
  EXPECT_EQ(w.walk(0xffff'8000'0000'0000).error().kind, FaultKind::absent);
  w.tcr = kTg1_4k;  // T1SZ 0
  EXPECT_EQ(w.walk(0xffff'8000'0000'0000).error().kind, FaultKind::out_of_range);
  w.tcr = t1sz(52) | kTg1_4k;  // 52 bits of 4K need DS
  EXPECT_EQ(w.walk(0xffff'8000'0000'0000).error().kind, FaultKind::out_of_range);
  w.tcr = t1sz(48);  // granule code 0
  EXPECT_EQ(w.walk(0xffff'8000'0000'0000).error().kind, FaultKind::out_of_range);
}

TEST(Vmsa, ATableThatPointsToItselfEnds) {
  Walker w{.tcr = t1sz(52) | kTg1_4k | kDs, .ttbr1 = 0x4000'0000};
  for (std::uint64_t i = 0; i < 512; ++i) {
    w.entry(0x4000'0000, i, 0x4000'0000 | kTable);
  }
  const auto m = w.walk(0xffff'8000'0000'0123);
  ASSERT_TRUE(m);
  EXPECT_EQ(m->phys.value, 0x4000'0123U);
  EXPECT_EQ(w.memory.reads, 5U);
}

TEST(Vmsa, MmuOffIsTheIdentity) {
  FakePhys memory;
  const auto m = make_translation(0, 0, 0, 0)->walk(memory, GuestVirt(0x4008'0010));
  ASSERT_TRUE(m);
  EXPECT_EQ(m->phys.value, 0x4008'0010U);
}

TEST(Vmsa, StripsPointerAuthenticationByBit55) {
  EXPECT_EQ(strip_pointer(0x12b4'8000'0801'2345, 48), 0xffff'8000'0801'2345U);
  EXPECT_EQ(strip_pointer(0xffff'8000'0801'2345, 48), 0xffff'8000'0801'2345U);
  EXPECT_EQ(strip_pointer(0x1234'0000'0801'2345, 48), 0x0000'0000'0801'2345U);
  EXPECT_EQ(strip_pointer(0x0bff'8000'0801'2345, 52), 0xffff'8000'0801'2345U);
  EXPECT_EQ(strip_pointer(0, 48), 0U);
}

}  // namespace
}  // namespace xstack
