// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/table_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/arm64/registers.h"
#include "tests/support/fake_guest.h"

namespace xstack {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kImage = 0xffff'8000'0800'0000;  // where the image is mapped, and
constexpr std::uint64_t kLoaded = 0x4020'0000;           // where it lies
constexpr std::uint64_t kTable = 3;
constexpr std::uint64_t kBlock = 1;

/// An arm64 guest of 8 MiB whose kernel maps 2 MiB of its image with one block: 4K pages, 48 bits.
class TableSearch : public testing::Test {
 protected:
  TableSearch() {
    guest_.ranges = {{GuestPhys(0x4000'0000), 2048}};
    for (std::uint64_t frame = 0; frame < 2048; ++frame) {
      guest_.physical.touch(GuestPhys(0x4000'0000 + frame * kXenPageSize));
    }
  }
  /// Tables below `root` that map the image.
  void map_image(std::uint64_t root, std::uint64_t below) {
    entry(root, kImage >> 39 & 511, below | kTable);
    entry(below, kImage >> 30 & 511, (below + kXenPageSize) | kTable);
    entry(below + kXenPageSize, kImage >> 21 & 511, kLoaded | kBlock);
  }
  void entry(std::uint64_t table, std::uint64_t index, std::uint64_t value) {
    guest_.physical.put(GuestPhys(table + index * 8), value);
  }
  void vmcoreinfo(const std::string& more) {
    const std::string text =
        "OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(swapper_pg_dir)=ffff800008100000\n"
        "SYMBOL(_stext)=ffff800008010000\n" +
        more;
    guest_.physical.put_bytes(GuestPhys(0x4070'0000), std::as_bytes(std::span(text)));
  }

  test::MemoryGuest guest_;
};

TEST_F(TableSearch, WhereVmcoreinfoSays) {
  map_image(kLoaded + 0x10'0000, 0x4050'0000);
  vmcoreinfo("NUMBER(kimage_voffset)=0xffff7fffc7e00000\nNUMBER(TCR_EL1_T1SZ)=0x10\n");
  const auto found = find_tables(guest_, std::nullopt, {});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->arch, ArchId::arm64);
  EXPECT_EQ(found->root, GuestPhys(kLoaded + 0x10'0000));
  EXPECT_EQ(found->form.va_bits, 48U);
  EXPECT_EQ(found->text, GuestVirt(0xffff800008010000));
  EXPECT_THAT(found->how, HasSubstr("where VMCOREINFO says"));
  EXPECT_EQ(found->translation()->walk(guest_.physical, GuestVirt(kImage + 0x1234))->phys, GuestPhys(kLoaded + 0x1234));
}

TEST_F(TableSearch, InAnyFrameWhenThatIsWrong) {
  map_image(0x4060'0000, 0x4050'0000);  // a process's: maps swapper_pg_dir, but not to itself
  map_image(kLoaded + 0x10'0000, 0x4050'4000);
  vmcoreinfo("NUMBER(kimage_voffset)=0xffff7fffc0000000\nNUMBER(TCR_EL1_T1SZ)=0x10\n");
  const auto found = find_tables(guest_, std::nullopt, {});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->root, GuestPhys(kLoaded + 0x10'0000));
  EXPECT_THAT(found->how, HasSubstr("found in memory"));
}

TEST_F(TableSearch, WithoutVmcoreinfoByTheRegisters) {
  map_image(0x4060'0000, 0x4050'0000);
  CpuState cpu;
  cpu.arch = &arch_ops(ArchId::arm64);
  cpu.regs.set(arm64::kPc, kImage + 0x1'0000);
  cpu.regs.set(arm64::kSp, kImage + 0x2'0000);
  const auto found = find_tables(guest_, ArchId::arm64, std::span(&cpu, 1));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->root, GuestPhys(0x4060'0000));
  EXPECT_THAT(found->how, HasSubstr("perhaps a process's"));
  cpu.user = true;  // its registers lead to no kernel
  EXPECT_EQ(find_tables(guest_, ArchId::arm64, std::span(&cpu, 1)).error().code, Errc::not_found);
}

TEST_F(TableSearch, NothingIsMadeUp) {
  vmcoreinfo("NUMBER(kimage_voffset)=0xffff7fffc7e00000\n");
  EXPECT_THAT(find_tables(guest_, std::nullopt, {}).error().message,
              HasSubstr("that map the kernel as its VMCOREINFO"));
  test::MemoryGuest empty;
  EXPECT_THAT(find_tables(empty, std::nullopt, {}).error().message, HasSubstr("no VMCOREINFO"));
}

TEST_F(TableSearch, FactsOfACapture) {
  const FoundTables tables{ArchId::arm64, GuestPhys(0x4165'3000), {0, 12, 52}, GuestVirt(0xffff800008010000), "so"};
  const auto fact = tables_fact(tables);
  const auto back = tables_of_facts({fact});
  ASSERT_TRUE(back);
  EXPECT_EQ(back->arch, tables.arch);
  EXPECT_EQ(back->root, tables.root);
  EXPECT_EQ(back->form, tables.form);
  EXPECT_EQ(back->text, tables.text);
  EXPECT_EQ(back->how, "so");
  for (const char* bad : {"", "1 2 3", "9 0 4 0 0 0 x", "1 0 0 d 30 0 x", "3 0 7 0 0 0 x", "1 0 0 c 63 0 x"}) {
    EXPECT_FALSE(tables_of_facts({{"tables", bad}})) << bad;
  }
}

}  // namespace
}  // namespace xstack
