// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "arch/arm32/lpae.h"
#include "arch/arm32/registers.h"
#include "arch/arm32/short_descriptors.h"
#include "arch/arm32/translations.h"
#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

using namespace arm32;
using test::FakePhys;

void expect_maps(const Translation& t, FakePhys& phys, std::uint64_t va, std::uint64_t pa, std::uint64_t size) {
  const auto mapping = t.walk(phys, GuestVirt(va));
  ASSERT_TRUE(mapping) << std::hex << va;
  EXPECT_EQ(mapping->phys.value, pa) << std::hex << va;
  EXPECT_EQ(mapping->page_size, size);
  EXPECT_EQ(mapping->left, size - va % size);
}

TEST(ShortDescriptors, EveryKindOfLeaf) {
  FakePhys phys;
  const std::uint32_t root = 0x4000;
  phys.put<std::uint32_t>(GuestPhys(root + 0xc01 * 4), 0x4010040e);                                      // section
  phys.put<std::uint32_t>(GuestPhys(root + 0xc02 * 4), 0x42000000 | 1U << 18 | 3U << 20 | 1U << 5 | 2);  // supersection
  phys.put<std::uint32_t>(GuestPhys(root + 0xc03 * 4), 0x00009c01 | 0x1e0);  // table, with a domain
  phys.put<std::uint32_t>(GuestPhys(0x9c00 + 0x12 * 4), 0x4444407f);         // small page, XN
  phys.put<std::uint32_t>(GuestPhys(0x9c00 + 0x25 * 4), 0x5555007d);         // large page
  const ShortDescriptors t(ShortRegime{root | 0x6a, 0, 0, false, false});
  expect_maps(t, phys, 0xc0112345, 0x40112345, 0x100000);
  expect_maps(t, phys, 0xc0212345, 0x1342212345, 0x1000000);
  expect_maps(t, phys, 0xc0312345, 0x44444345, 0x1000);
  expect_maps(t, phys, 0xc0325678, 0x55555678, 0x10000);
  EXPECT_EQ(t.walk(phys, GuestVirt(0xc0400000)).error().level, 1);
  EXPECT_EQ(t.walk(phys, GuestVirt(0xc0300000)).error().level, 2);
  EXPECT_EQ(t.walk(phys, GuestVirt(0x1c0112345)).error().kind, FaultKind::out_of_range);
}

TEST(ShortDescriptors, TheSplitChoosesTableAndIndex) {
  FakePhys phys;
  phys.put<std::uint32_t>(GuestPhys(0x5000 + 0x001 * 4), 0x10000002);  // N = 2: TTBR0's table is 4 KiB
  phys.put<std::uint32_t>(GuestPhys(0x8000 + 0xc01 * 4), 0x20000002);
  const ShortDescriptors t(ShortRegime{0x5000, 0x8000, 2, false, false});
  expect_maps(t, phys, 0x00100010, 0x10000010, 0x100000);
  expect_maps(t, phys, 0xc0100010, 0x20000010, 0x100000);
  const ShortDescriptors off(ShortRegime{0x5000, 0x8000, 2, true, false});
  EXPECT_FALSE(off.walk(phys, GuestVirt(0x00100010)));
  EXPECT_TRUE(off.walk(phys, GuestVirt(0xc0100010)));
}

TEST(Lpae, LevelsBlocksAndSplits) {
  FakePhys phys;
  phys.put<std::uint64_t>(GuestPhys(0x3000 + 3 * 8), 0x7003);              // level 1 -> level 2
  phys.put<std::uint64_t>(GuestPhys(0x7000 + 1 * 8), 0x40200f11 & ~2ULL);  // 2 MiB block at c0200000
  phys.put<std::uint64_t>(GuestPhys(0x7000 + 2 * 8), 0xa003);
  phys.put<std::uint64_t>(GuestPhys(0xa000 + 5 * 8), 0x0060000012345f03 | 1ULL << 54);
  phys.put<std::uint64_t>(GuestPhys(0xa000 + 6 * 8), 0x12345001);  // not allowed at level 3
  phys.put<std::uint64_t>(GuestPhys(0x3000 + 1 * 8), 0x80000001);  // 1 GiB block
  const Lpae whole(LpaeRegime{0x1000000003000, 0, 0, 0, false, false});
  expect_maps(whole, phys, 0xc0234567, 0x40234567, 0x200000);
  expect_maps(whole, phys, 0xc0405678, 0x12345678, 0x1000);
  expect_maps(whole, phys, 0x40000010, 0x80000010, 0x40000000);
  EXPECT_EQ(whole.walk(phys, GuestVirt(0xc0406000)).error().kind, FaultKind::bad_table);
  // T1SZ 2: TTBR1 is the level-2 table of the last gigabyte and nothing below it.
  const Lpae split(LpaeRegime{0x9000, 0x7000, 0, 2, false, false});
  expect_maps(split, phys, 0xc0234567, 0x40234567, 0x200000);
  EXPECT_EQ(split.walk(phys, GuestVirt(0xbfffffff)).error().kind, FaultKind::absent) << "through TTBR0";
  // T0SZ 7 with EPD0, T1SZ 0: all but the lowest 32 MiB through TTBR1.
  const Lpae pan(LpaeRegime{0x9000, 0x3000, 7, 0, true, false});
  expect_maps(pan, phys, 0xc0405678, 0x12345678, 0x1000);
  EXPECT_EQ(pan.walk(phys, GuestVirt(0x01000000)).error().kind, FaultKind::unmapped);
  // Both sizes set: a hole between the two regions.
  const Lpae hole(LpaeRegime{0x3000, 0x7000, 2, 2, false, false});
  EXPECT_EQ(hole.walk(phys, GuestVirt(0x80000000)).error().level, -2);
}

RegisterFile system(std::uint64_t ttbcr, std::uint64_t ttbr0, std::uint64_t ttbr1, std::uint64_t sctlr = 1) {
  RegisterFile regs;
  regs.set(kSctlr, sctlr);
  regs.set(kTtbcr, ttbcr);
  regs.set(kTtbr0, ttbr0);
  regs.set(kTtbr1, ttbr1);
  return regs;
}

bool any_maps(const RegisterFile& regs, FakePhys& phys, std::uint64_t va) {
  for (const auto& t : translations_of(regs)) {
    if (t->walk(phys, GuestVirt(va))) {
      return true;
    }
  }
  return false;
}

TEST(Arm32Translations, ModulesThroughTheKernelsOwnLevel1) {
  FakePhys phys;
  phys.touch(GuestPhys(0x9000));                               // a process's level 1, empty
  phys.put<std::uint64_t>(GuestPhys(0x3000 + 2 * 8), 0x6003);  // swapper_pg_dir
  phys.put<std::uint64_t>(GuestPhys(0x3000 + 3 * 8), 0x7003);
  phys.put<std::uint64_t>(GuestPhys(0x6000 + 0x1f8 * 8), 0x50000001);
  const auto regs = system(0xb5023500, 0x9000, 0x7000);
  EXPECT_TRUE(any_maps(regs, phys, 0xbf000010));
  phys.put<std::uint64_t>(GuestPhys(0x3000 + 3 * 8), 0x8003);  // does not lead to TTBR1: no swapper_pg_dir
  EXPECT_FALSE(any_maps(regs, phys, 0xbf000010));
}

TEST(Arm32Translations, UserMemoryBehindPan) {
  FakePhys phys;
  phys.touch(GuestPhys(0x3000));
  phys.put<std::uint64_t>(GuestPhys(0x9000 + 2 * 8), 0x50000001);
  EXPECT_TRUE(any_maps(system(0xb5403587, 0x9000, 0x3000), phys, 0xbec16348));
  EXPECT_FALSE(any_maps(system(0xb5403500, 0x3000, 0x3000), phys, 0xbec16348));
}

TEST(Arm32Translations, ShortDescriptorsFallBackToTtbr1) {
  FakePhys phys;
  phys.touch(GuestPhys(0xc000 + 0xbf0 * 4));
  phys.put<std::uint32_t>(GuestPhys(0x4000 + 0xbf0 * 4), 0x50000002);
  EXPECT_TRUE(any_maps(system(0, 0xc06a, 0x406a), phys, 0xbf000010));
  EXPECT_FALSE(any_maps(system(0, 0xc06a, 0), phys, 0xbf000010));
  EXPECT_TRUE(with_root(system(0, 0, 0), GuestPhys(0x4000))->walk(phys, GuestVirt(0xbf000010)));
}

TEST(Arm32Translations, MmuOff) {
  FakePhys phys;
  const auto list = translations_of(system(0, 0x4000, 0x4000, 0));
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]->walk(phys, GuestVirt(0x40001234))->phys.value, 0x40001234U);
}

}  // namespace
}  // namespace xstack
