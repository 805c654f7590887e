// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kernel_root.h"

#include <gtest/gtest.h>

#include "arch/arm32/arm32.h"
#include "arch/x86/paging.h"
#include "arch/x86/registers.h"
#include "arch/x86/x86.h"
#include "tests/support/fake_guest.h"
#include "tests/unit/arch/arm64/context.h"

namespace xstack {
namespace {

constexpr std::uint64_t kTramp = 0x4180'0000;  // what TTBR1 has while user code runs
constexpr std::uint64_t kSwapper = kTramp + 2 * kXenPageSize;
constexpr std::uint64_t kStack = 0xffff'8000'0801'0000;
constexpr std::uint64_t kTable = 3;
constexpr std::uint64_t kPage = 3;

/// An arm64 vCPU in user mode with page table isolation: tramp_pg_dir maps no kernel stack, swapper_pg_dir does.
class RootBeside : public testing::Test {
 protected:
  RootBeside() {
    context_.cpsr(0).sp_el1(kStack + 0x1000).put(344, 0x0123'0000'0000'0001 | kTramp);  // TTBR1 with an ASID and CnP
    for (std::uint64_t page = 1; page <= 16; ++page) {
      memory_.touch(GuestPhys(kTramp + page * kXenPageSize));
    }
    memory_.touch(GuestPhys(kTramp));
  }
  /// Tables below `root` that map the page of the stack.
  void map_stack(std::uint64_t root, std::uint64_t frame = 0x5000'0000) {
    entry(root, 256, 0x4200'0000 | kTable);
    entry(0x4200'0000, 0, 0x4200'1000 | kTable);
    entry(0x4200'1000, 64, 0x4200'2000 | kTable);
    entry(0x4200'2000, 16, frame | 0x700 | kPage);
  }
  void entry(std::uint64_t table, std::uint64_t index, std::uint64_t value) {
    memory_.put(GuestPhys(table + index * 8), value);
  }
  std::optional<GuestPhys> find() {
    const CpuState cpu = context_.decode();
    return find_root_beside(memory_, arm64_ops(), std::span(&cpu, 1));
  }

  test::FakePhys memory_;
  test::Arm64Context context_;
};

TEST_F(RootBeside, IsThePageWhoseTablesMapTheStack) {
  map_stack(kSwapper);
  memory_.touch(GuestPhys(0x5000'0000));
  EXPECT_EQ(find(), GuestPhys(kSwapper));
}

TEST_F(RootBeside, AnEmptyStacksPointerIsJustPastIt) {
  map_stack(kSwapper);
  memory_.touch(GuestPhys(0x5000'0000));
  context_.sp_el1(kStack + 0x1000 + 8);  // on the next page, which nothing maps
  EXPECT_FALSE(find());
}

TEST_F(RootBeside, TablesThatLeadToNoMemoryAreNotBelieved) {
  map_stack(kSwapper, 0x6000'0000);
  EXPECT_FALSE(find());
}

TEST_F(RootBeside, IsNotLookedForFarAway) {
  memory_.touch(GuestPhys(0x5000'0000));
  map_stack(kTramp + 9 * kXenPageSize);
  EXPECT_FALSE(find());
  map_stack(kTramp + 8 * kXenPageSize);
  EXPECT_EQ(find(), GuestPhys(kTramp + 8 * kXenPageSize));
}

TEST_F(RootBeside, OfSeveralVcpusOneIsEnough) {
  map_stack(kSwapper);
  memory_.touch(GuestPhys(0x5000'0000));
  test::Arm64Context off = context_;
  off.put(320, 0);  // the MMU is off: its registers are what firmware left
  test::Arm64Context user_stack;
  user_stack.sp_el1(0x7fff'0000).put(344, kTramp);
  const std::vector<CpuState> cpus = {off.decode(), user_stack.decode(), context_.decode()};
  EXPECT_EQ(find_root_beside(memory_, arm64_ops(), cpus), GuestPhys(kSwapper));
  EXPECT_FALSE(find_root_beside(memory_, arm64_ops(), std::span(cpus).first(2)));
  EXPECT_FALSE(find_root_beside(memory_, arm64_ops(), {}));
}

TEST_F(RootBeside, OtherArchitecturesHaveNone) {
  map_stack(kSwapper);
  memory_.touch(GuestPhys(0x5000'0000));
  const CpuState cpu = context_.decode();
  EXPECT_FALSE(find_root_beside(memory_, x86_64_ops(), std::span(&cpu, 1)));
}

/// An x86-64 vCPU in user mode with page table isolation: CR3 has the second of two pages, whose tables map user memory
/// and next to nothing of the kernel.
class RootBefore : public testing::Test {
 protected:
  static constexpr std::uint64_t kKernel = 0x2888000;
  static constexpr std::uint64_t kUser = kKernel + 0x1000;
  RootBefore() {
    cpu_.arch = &x86_64_ops();
    cpu_.regs.set(x86::kCr3, kUser | 0x8000'0000'0000'0000 | 3);  // PCID
    cpu_.regs.set(x86::kCr4, 0x20);
    cpu_.regs.set(x86::kEfer, 0x500);
    cpu_.regs.set(x86::kRip, 0x400000);
    for (const std::uint64_t root : {kKernel, kUser}) {
      memory_.put(GuestPhys(root), std::uint64_t{0x3067});
    }
    memory_.put(GuestPhys(0x3000), std::uint64_t{0x4067});
    memory_.put(GuestPhys(0x4000 + 2 * 8), std::uint64_t{0x60'0000 | 0xe7});
  }
  std::optional<GuestPhys> find() { return find_root_beside(memory_, x86_64_ops(), std::span(&cpu_, 1)); }

  test::FakePhys memory_;
  CpuState cpu_;
};

TEST_F(RootBefore, IsThePageBeforeTheOneOfUserMode) {
  EXPECT_EQ(find(), GuestPhys(kKernel));
}

TEST_F(RootBefore, AFirstPageIsNotTheSecondOfTwo) {
  cpu_.regs.set(x86::kCr3, kKernel);
  EXPECT_FALSE(find());
}

TEST_F(RootBefore, BothMapUserMemoryToTheSamePlace) {
  memory_.put(GuestPhys(kKernel), std::uint64_t{0});
  EXPECT_FALSE(find());
  memory_.put(GuestPhys(kKernel), std::uint64_t{0x5067});
  memory_.put(GuestPhys(0x5000), std::uint64_t{0x80'0000 | 0xe7});  // 1 GiB, elsewhere
  EXPECT_FALSE(find());
}

Vmcoreinfo info(const std::string& lines) {
  auto parsed = Vmcoreinfo::parse("OSRELEASE=6.1\nPAGESIZE=4096\n" + lines);
  EXPECT_TRUE(parsed);
  return parsed.value();
}

class RootByVmcoreinfo : public testing::Test {
 protected:
  template <class Entry>
  void entry(std::uint64_t table, std::uint64_t index, Entry value) {
    guest_.physical.put(GuestPhys(table + index * sizeof value), value);
  }
  std::optional<GuestPhys> find(const ArchOps& arch, const CpuState& cpu, const std::string& lines) {
    return find_root_by_vmcoreinfo(guest_, arch, std::span(&cpu, 1), info(lines));
  }

  test::MemoryGuest guest_;
};

TEST_F(RootByVmcoreinfo, Arm64) {
  // The image is at 0xffff800008000000, its physical address 0x40200000; _stext 0x10000 above.
  constexpr const char* kLines =
      "SYMBOL(swapper_pg_dir)=ffff800009000000\nSYMBOL(_stext)=ffff800008010000\n"
      "NUMBER(kimage_voffset)=0xffff7fffc7e00000\n";
  constexpr std::uint64_t kRoot = 0x4120'0000;
  entry(kRoot, 256, 0x4200'0000 | kTable);
  entry(0x4200'0000, 0, 0x4200'1000 | kTable);
  entry(0x4200'1000, 64, std::uint64_t{0x4020'0000 | 0x701});  // a block of 2 MiB
  const CpuState cpu = test::Arm64Context().decode();
  EXPECT_EQ(find(arm64_ops(), cpu, kLines), GuestPhys(kRoot));
  // Tables that have something else where _stext should be are not the kernel's.
  entry(0x4200'1000, 64, std::uint64_t{0x4040'0000 | 0x701});
  EXPECT_FALSE(find(arm64_ops(), cpu, kLines));
  entry(0x4200'1000, 64, std::uint64_t{0});
  EXPECT_FALSE(find(arm64_ops(), cpu, kLines));
}

/// A 64-bit guest's vCPU with four-level tables.
CpuState x86_cpu() {
  CpuState cpu;
  cpu.arch = &x86_64_ops();
  cpu.translations.push_back(std::make_shared<x86::PageTables>(x86::Paging{x86::PagingMode::four, GuestPhys(0x1000)}));
  return cpu;
}

constexpr const char* kX86Lines =
    "SYMBOL(swapper_pg_dir)=ffffffff8280e000\nSYMBOL(_stext)=ffffffff81000000\nNUMBER(phys_base)=-14680064\n";

TEST_F(RootByVmcoreinfo, X86) {
  constexpr std::uint64_t kRoot = 0x280e000 - 0xe00000;  // phys_base is -0xe00000
  const auto map = [&](std::uint64_t text) {
    entry(kRoot, 511, std::uint64_t{0x3063});
    entry(0x3000, 510, std::uint64_t{0x4063});
    entry(0x4000, 8, text | 0xe3);
  };
  map(0x200000);
  EXPECT_EQ(find(x86_64_ops(), x86_cpu(), kX86Lines), GuestPhys(kRoot));
  map(0x400000);
  EXPECT_FALSE(find(x86_64_ops(), x86_cpu(), kX86Lines));
}

TEST_F(RootByVmcoreinfo, WhatIsNotSaidIsNotGuessed) {
  const CpuState cpu = x86_cpu();
  EXPECT_FALSE(find(x86_64_ops(), cpu, "SYMBOL(_stext)=ffffffff81000000\nNUMBER(phys_base)=0\n"));
  EXPECT_FALSE(find(x86_64_ops(), cpu, "SYMBOL(swapper_pg_dir)=ffffffff8280e000\nNUMBER(phys_base)=0\n"));
  EXPECT_FALSE(find(x86_64_ops(), cpu, "SYMBOL(swapper_pg_dir)=ffffffff8280e000\nSYMBOL(_stext)=ffffffff81000000\n"));
  EXPECT_FALSE(find_root_by_vmcoreinfo(guest_, x86_64_ops(), {}, info(kX86Lines)));
}

TEST_F(RootByVmcoreinfo, LiesLeadNowhere) {
  const CpuState cpu = x86_cpu();
  for (const char* base : {"0x8000000000000000", "-1", "0xffffffffffffffff", "0"}) {
    for (const char* directory : {"0", "ffffffffffffffe0", "ffffffff8280e000", "1"}) {
      const std::string lines = std::string("SYMBOL(swapper_pg_dir)=") + directory +
                                "\nSYMBOL(_stext)=ffffffff81000000\nNUMBER(phys_base)=" + base + "\n";
      EXPECT_FALSE(find(x86_64_ops(), cpu, lines)) << lines;
    }
  }
}

/// 32-bit kernels do not say where the image lies: it is one of the usual splits.
class RootOfSplits : public RootByVmcoreinfo {
 protected:
  static CpuState cpu() {
    CpuState cpu;
    cpu.arch = &x86_32_ops();
    cpu.translations.push_back(std::make_shared<x86::PageTables>(x86::Paging{x86::PagingMode::two, GuestPhys(0x1000)}));
    return cpu;
  }
  /// swapper_pg_dir and _stext of a kernel at `split`, whose tables map 4 MiB at the image.
  std::string kernel_at(std::uint32_t split) {
    entry(0x1a00000, (split + 0x1000000) >> 22, std::uint32_t{0x10000e3});
    return fmt_hex("SYMBOL(swapper_pg_dir)=", split + 0x1a00000) + fmt_hex("SYMBOL(_stext)=", split + 0x1001000);
  }
  static std::string fmt_hex(const std::string& key, std::uint32_t value) {
    std::string digits;
    for (int shift = 28; shift >= 0; shift -= 4) {
      digits += "0123456789abcdef"[value >> shift & 15];
    }
    return key + digits + "\n";
  }
};

TEST_F(RootOfSplits, EachOfThem) {
  for (const std::uint32_t split : {0xc0000000U, 0xb0000000U, 0x80000000U, 0x78000000U, 0x40000000U}) {
    guest_.physical.put(GuestPhys(0x1a00000), std::uint32_t{0});
    EXPECT_EQ(find(x86_32_ops(), cpu(), kernel_at(split)), GuestPhys(0x1a00000)) << split;
  }
  EXPECT_FALSE(find(x86_32_ops(), cpu(), kernel_at(0xa0000000))) << "no split of any kernel";
}

TEST_F(RootOfSplits, RamOfX86BeginsAtZeroWhateverIsThere) {
  guest_.ranges = {{GuestPhys(0x100000), 1000}};
  EXPECT_EQ(find(x86_32_ops(), cpu(), kernel_at(0xc0000000)), GuestPhys(0x1a00000));
}

}  // namespace
}  // namespace xstack
