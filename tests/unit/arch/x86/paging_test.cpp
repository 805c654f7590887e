// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/paging.h"

#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"

namespace xstack::x86 {
namespace {

std::uint64_t walk(const PageTables& tables, PhysMemory& memory, std::uint64_t va) {
  const auto mapping = tables.walk(memory, GuestVirt(va));
  EXPECT_TRUE(mapping) << (mapping ? "" : describe(mapping.error()));
  return mapping ? mapping->phys.value : 0;
}

TEST(Paging, OffIsIdentity) {
  test::FakePhys memory;
  EXPECT_EQ(walk(PageTables(Paging{}), memory, 0x1234), 0x1234U);
}

TEST(Paging, TwoLevels) {
  test::FakePhys memory;
  memory.put<std::uint32_t>(GuestPhys(0x1000 + (0xc0000000U >> 22) * 4), 0x2063);
  memory.put<std::uint32_t>(GuestPhys(0x2000 + 5 * 4), 0x77000063);
  // PSE-36: address bits 39:32 in bits 20:13.
  memory.put<std::uint32_t>(GuestPhys(0x1000 + (0xc0400000U >> 22) * 4), 0x12400000 | (0xabU << 13) | 0xe3);
  const PageTables tables(Paging{PagingMode::two, GuestPhys(0x1000)});
  EXPECT_EQ(walk(tables, memory, 0xc0005123), 0x77000123U);
  EXPECT_EQ(walk(tables, memory, 0xc0412345), 0xab12412345U);
  const PageTables no_pse(Paging{PagingMode::two, GuestPhys(0x1000), false});
  EXPECT_FALSE(no_pse.walk(memory, GuestVirt(0xc0412345))) << "PS means nothing without CR4.PSE";
  EXPECT_EQ(tables.walk(memory, GuestVirt(0x1'0000'0000)).error().kind, FaultKind::out_of_range);
  EXPECT_EQ(tables.walk(memory, GuestVirt(0xc0006000)).error().level, 1);
}

TEST(Paging, Pae) {
  test::FakePhys memory;
  memory.put<std::uint64_t>(GuestPhys(0x1020 + 3 * 8), 0x2001);
  memory.put<std::uint64_t>(GuestPhys(0x2000 + 1 * 8), 0x8000'0001'2340'10e3);  // 2 MiB, NX and PAT bit
  memory.put<std::uint64_t>(GuestPhys(0x2000), 0x3063);
  memory.put<std::uint64_t>(GuestPhys(0x3000 + 7 * 8), 0x8000'0009'8765'4063);
  const PageTables tables(Paging{PagingMode::pae, GuestPhys(0x1020)});
  EXPECT_EQ(walk(tables, memory, 0xc0007008), 0x9'8765'4008U);
  EXPECT_EQ(walk(tables, memory, 0xc0201234), 0x1'2340'1234U);
}

/// One page at the same indices below roots of either depth.
void put_long_tables(test::FakePhys& memory) {
  memory.put<std::uint64_t>(GuestPhys(0x9000 + 0x1ff * 8), 0x1063);                 // PML5
  memory.put<std::uint64_t>(GuestPhys(0x1000 + 0x1ff * 8), 0x2063);                 // PML4
  memory.put<std::uint64_t>(GuestPhys(0x2000 + 0x1fe * 8), 0x3063);                 // PDPT
  memory.put<std::uint64_t>(GuestPhys(0x2000 + 0x1ff * 8), 0x4000'00e3);            // 1 GiB
  memory.put<std::uint64_t>(GuestPhys(0x3000 + 0x008 * 8), 0x4063);                 // PD
  memory.put<std::uint64_t>(GuestPhys(0x3000 + 0x009 * 8), 0x6000'10e3);            // 2 MiB with its PAT bit
  memory.put<std::uint64_t>(GuestPhys(0x4000 + 0x002 * 8), 0x8008'0000'0555'5063);  // SME bit 51, NX
}

TEST(Paging, FourLevels) {
  test::FakePhys memory;
  put_long_tables(memory);
  const PageTables tables(Paging{PagingMode::four, GuestPhys(0x1000), true, 1ULL << 51});
  EXPECT_EQ(walk(tables, memory, 0xffffffff81002010), 0x5555010U) << "the encryption bit is no address bit";
  EXPECT_EQ(walk(tables, memory, 0xffffffff81201fff), 0x60001fffU);
  EXPECT_EQ(walk(tables, memory, 0xffffffffc0000008), 0x40000008U);
  EXPECT_EQ(tables.walk(memory, GuestVirt(0x0000'8000'0000'0000)).error().kind, FaultKind::out_of_range);
  const auto fault = tables.walk(memory, GuestVirt(0xffffffff81003000));
  ASSERT_FALSE(fault);
  EXPECT_EQ(fault.error().kind, FaultKind::unmapped);
  EXPECT_EQ(fault.error().level, 1);
}

TEST(Paging, FiveLevels) {
  test::FakePhys memory;
  put_long_tables(memory);
  const PageTables tables(Paging{PagingMode::five, GuestPhys(0x9000)});
  EXPECT_EQ(walk(tables, memory, 0xffffffff81201000), 0x60001000U);
  EXPECT_EQ(tables.walk(memory, GuestVirt(0xff11'0000'0000'0000)).error().level, 5);
}

TEST(Paging, LargePagesAboveOneGigabyteAreMalformed) {
  test::FakePhys memory;
  memory.put<std::uint64_t>(GuestPhys(0x1000), 0xe3);
  const auto fault = PageTables(Paging{PagingMode::four, GuestPhys(0x1000)}).walk(memory, GuestVirt(0x1000));
  ASSERT_FALSE(fault);
  EXPECT_EQ(fault.error().kind, FaultKind::bad_table);
}

TEST(Paging, FoldedRootOf32BitPv) {
  EXPECT_EQ(root_of_folded_cr3(0x12345678).value, 0x67812345000U);
}

TEST(Paging, KernelHalfOnlyOfARealPair) {
  test::FakePhys memory;
  memory.touch(GuestPhys(0x11000));
  put_long_tables(memory);
  memory.put<std::uint64_t>(GuestPhys(0x10000 + 0x1ff * 8), 0x2063);  // the kernel's half
  memory.put<std::uint64_t>(GuestPhys(0x10000 + 3 * 8), 0x8000'0000'0000'7067);
  memory.put<std::uint64_t>(GuestPhys(0x11000 + 3 * 8), 0x7067);
  const IsolatedKernelTables tables(PagingMode::four, GuestPhys(0x11000));
  const auto mapping = tables.walk(memory, GuestVirt(0xffffffffc0000008));
  ASSERT_TRUE(mapping);
  EXPECT_EQ(mapping->phys.value, 0x40000008U);
  memory.put<std::uint64_t>(GuestPhys(0x11000 + 4 * 8), 0x8067);  // the user half differs: no pair
  EXPECT_FALSE(tables.walk(memory, GuestVirt(0xffffffffc0000008)));
}

}  // namespace
}  // namespace xstack::x86
