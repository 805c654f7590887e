// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/decode.h"

#include <gtest/gtest.h>

#include <string_view>

#include "arch/x86/paging.h"
#include "arch/x86/registers.h"
#include "arch/x86/x86.h"
#include "tests/unit/arch/x86/context_builder.h"

namespace xstack::x86 {
namespace {

using test::X86Vcpu;

constexpr std::uint64_t kPaging = 0x8005'0033;  // CR0
constexpr std::uint64_t kPae = 1U << 5;
constexpr std::uint64_t kLa57 = 1U << 12;
constexpr std::uint64_t kLongMode = 1U << 10;  // EFER.LMA
constexpr std::uint32_t kCode64 = 1U << 9;     // attributes of the save record
constexpr std::uint32_t kCode32 = 1U << 10;
constexpr std::uint32_t kRing3 = 3U << 5;

CpuState decode(GuestType type, const X86Vcpu& from, bool wide = true) {
  const GuestIdentity guest = test::guest_of_type(type);
  auto cpu = wide ? decode64(guest, from.vcpu) : decode32(guest, from.vcpu);
  EXPECT_TRUE(cpu);
  return cpu ? std::move(*cpu) : CpuState{};
}

Paging paging_of(const CpuState& cpu, std::size_t i = 0) {
  const auto* tables =
      i < cpu.translations.size() ? dynamic_cast<const PageTables*>(cpu.translations[i].get()) : nullptr;
  EXPECT_NE(tables, nullptr);
  return tables != nullptr ? tables->paging() : Paging{};
}

TEST(DecodeX86, EveryGeneralRegisterFromItsOwnPlace) {
  X86Vcpu vcpu;
  // In the order of struct cpu_user_regs.
  constexpr std::string_view kNames[] = {"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10",
                                         "r9",  "r8",  "rax", "rcx", "rdx", "rsi", "rdi"};
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    vcpu.user(i * 8, 0xffff'8000'0000'0000 + i);
  }
  vcpu.rip(0xffff'ffff'8100'1234).rflags(0x246).rsp(0xffff'c900'0001'2340).selectors(0x10, 0x18);
  const CpuState cpu = decode(GuestType::hvm, vcpu);
  const auto named = [&](std::string_view name) -> std::optional<std::uint64_t> {
    const auto table = registers64();
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (table[i].name == name) {
        return cpu.regs.get(static_cast<RegisterIndex>(i));
      }
    }
    return std::nullopt;
  };
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    EXPECT_EQ(named(kNames[i]), 0xffff'8000'0000'0000 + i) << kNames[i];
  }
  EXPECT_EQ(named("rip"), 0xffff'ffff'8100'1234);
  EXPECT_EQ(named("rsp"), 0xffff'c900'0001'2340);
  EXPECT_EQ(named("rflags"), 0x246U);
  EXPECT_EQ(named("cs"), 0x10U);
  EXPECT_EQ(named("ss"), 0x18U);
}

TEST(DecodeX86, WhatOnlyTheSaveRecordKnowsIsUnknownWithoutIt) {
  X86Vcpu vcpu;
  vcpu.cr(0, kPaging).cr(3, 0x5000).cr(4, kPae);
  CpuState cpu = decode(GuestType::hvm, vcpu);
  for (const RegisterIndex unknown : {kEfer, kLstar, kIdtrBase, kGdtrBase, kTrBase, kCr3User}) {
    EXPECT_FALSE(cpu.regs.known(unknown)) << registers64()[unknown].name;
  }
  EXPECT_EQ(cpu.regs.get(kCr3), 0x5000U);
  // With it, it has the control registers too: those of the context can be stale.
  vcpu.record(656, kPaging).record(664, 0xdead).record(672, 0x7000).record(680, kPae | kLa57).record(992, kLongMode);
  cpu = decode(GuestType::hvm, vcpu);
  EXPECT_EQ(cpu.regs.get(kEfer), kLongMode);
  EXPECT_EQ(cpu.regs.get(kCr2), 0xdeadU);
  EXPECT_EQ(cpu.regs.get(kCr3), 0x7000U);
  EXPECT_EQ(paging_of(cpu).mode, PagingMode::five);
}

TEST(DecodeX86, ASaveRecordThatIsTooShortIsNone) {
  X86Vcpu vcpu;
  vcpu.record(992, kLongMode);
  vcpu.vcpu.hvm_record.resize(999);
  EXPECT_FALSE(decode(GuestType::hvm, vcpu).regs.known(kEfer));
}

TEST(DecodeX86, PagingModes) {
  struct Row {
    std::uint64_t cr0, cr4, efer;
    bool wide;
    PagingMode mode;
  };
  const Row rows[] = {
      {0x33, kPae, 0, true, PagingMode::off},
      {kPaging, 0, 0, false, PagingMode::two},
      {kPaging, kPae, 0, false, PagingMode::pae},
      {kPaging, kPae, 0, true, PagingMode::pae},
      {kPaging, kPae, kLongMode, true, PagingMode::four},
      {kPaging, kPae | kLa57, kLongMode, true, PagingMode::five},
      {kPaging, kPae | kLa57, 0, false, PagingMode::pae},
  };
  for (const Row& row : rows) {
    X86Vcpu vcpu;
    vcpu.record(656, row.cr0).record(672, 0x1234'5fff).record(680, row.cr4).record(992, row.efer);
    const CpuState cpu = decode(GuestType::hvm, vcpu, row.wide);
    EXPECT_EQ(paging_of(cpu).mode, row.mode) << row.cr0 << " " << row.cr4 << " " << row.efer;
    EXPECT_EQ(cpu.mmu_on, row.mode != PagingMode::off);
  }
  // Without a record the kernel's own width stands for EFER.
  X86Vcpu plain;
  plain.cr(0, kPaging).cr(3, 0x1234'5fff).cr(4, kPae);
  EXPECT_EQ(paging_of(decode(GuestType::hvm, plain, true)).mode, PagingMode::four);
  EXPECT_EQ(paging_of(decode(GuestType::hvm, plain, true)).root, GuestPhys(0x1234'5000));
  EXPECT_EQ(paging_of(decode(GuestType::hvm, plain, false)).mode, PagingMode::pae);
  EXPECT_EQ(paging_of(decode(GuestType::hvm, plain, false)).root, GuestPhys(0x1234'5fe0));
}

TEST(DecodeX86, FourMiBPagesWhereCr4HasPse) {
  X86Vcpu vcpu;
  vcpu.cr(0, kPaging).cr(4, 0);
  EXPECT_FALSE(paging_of(decode(GuestType::hvm, vcpu, false)).large_pages);
  vcpu.cr(4, 1U << 4);
  EXPECT_TRUE(paging_of(decode(GuestType::hvm, vcpu, false)).large_pages);
}

TEST(DecodeX86, TheOtherHalfOfAnIsolatedPair) {
  X86Vcpu vcpu;
  vcpu.cr(0, kPaging).cr(3, 0x10000).cr(4, kPae);
  EXPECT_EQ(decode(GuestType::hvm, vcpu).translations.size(), 1U);
  vcpu.cr(3, 0x8000'0000'0001'1805);  // no-flush bit, PCID; bit 12 is the user half's
  const CpuState cpu = decode(GuestType::hvm, vcpu);
  ASSERT_EQ(cpu.translations.size(), 2U);
  EXPECT_EQ(paging_of(cpu).root, GuestPhys(0x11000));
  EXPECT_NE(dynamic_cast<const IsolatedKernelTables*>(cpu.translations[1].get()), nullptr);
  EXPECT_EQ(decode(GuestType::hvm, vcpu, false).translations.size(), 1U) << "no such pair outside long mode";
}

std::string mode_of(GuestType type, const X86Vcpu& vcpu, bool wide = true) {
  const CpuState cpu = decode(type, vcpu, wide);
  return cpu.mode + (cpu.user ? " (user)" : "");
}

TEST(DecodeX86, ModesOfPvGuests) {
  X86Vcpu vcpu;
  vcpu.cr(3, 0x1000).selectors(0xe033, 0xe02b);
  EXPECT_EQ(mode_of(GuestType::pv, vcpu), "PV user (user)") << "ring 3 either way: the flag tells";
  vcpu.flags(4);
  EXPECT_EQ(mode_of(GuestType::pv, vcpu), "PV kernel");
  vcpu.flags(0).selectors(0xe023, 0xe02b);
  EXPECT_EQ(mode_of(GuestType::pv, vcpu), "PV user, 32-bit code segment (user)");
}

TEST(DecodeX86, ModesOfHvmGuests) {
  X86Vcpu vcpu;
  EXPECT_EQ(mode_of(GuestType::hvm, vcpu), "real mode");
  vcpu.cr(0, 1).selectors(0x33, 0x2b);
  EXPECT_EQ(mode_of(GuestType::hvm, vcpu), "ring 3 (user)");
  vcpu.selectors(0x10, 0x18);
  EXPECT_EQ(mode_of(GuestType::hvm, vcpu), "ring 0");
  vcpu.rflags(0x20202);
  EXPECT_EQ(mode_of(GuestType::hvm, vcpu, false), "virtual-8086 (user)");
  // The record's SS has the privilege level, its CS the width; VM is no mode in long mode.
  vcpu.record(656, kPaging).record(680, kPae).record(992, kLongMode).attributes(kCode64, kRing3);
  EXPECT_EQ(mode_of(GuestType::hvm, vcpu), "ring 3 (user)");
  vcpu.attributes(kCode32, kRing3);
  EXPECT_EQ(mode_of(GuestType::hvm, vcpu), "ring 3, 32-bit code segment (user)");
  vcpu.attributes(0, 0);
  EXPECT_EQ(mode_of(GuestType::hvm, vcpu), "ring 0, 16-bit code segment");
  vcpu.rflags(2).record(992, 0).attributes(kCode32, 0);
  EXPECT_EQ(mode_of(GuestType::hvm, vcpu, false), "ring 0");
  vcpu.attributes(0, 0);
  EXPECT_EQ(mode_of(GuestType::hvm, vcpu, false), "ring 0, 16-bit code segment");
}

TEST(DecodeX86, APvGuestsUserTablesComeSecond) {
  X86Vcpu vcpu;
  vcpu.cr(3, 0x1'2345'6000).cr(1, 0x9000);
  const CpuState cpu = decode(GuestType::pv, vcpu);
  ASSERT_EQ(cpu.translations.size(), 2U);
  EXPECT_EQ(paging_of(cpu, 0).root, GuestPhys(0x1'2345'6000));
  EXPECT_EQ(paging_of(cpu, 1).root, GuestPhys(0x9000));
  EXPECT_EQ(cpu.regs.get(kCr3User), 0x9000U);
  vcpu.cr(1, 0);
  EXPECT_EQ(decode(GuestType::pv, vcpu).translations.size(), 1U);
  EXPECT_FALSE(decode(GuestType::pv, vcpu).regs.known(kCr3User));
}

/// A 32-bit PV guest's layout, in a buffer of either size.
X86Vcpu compat(std::size_t size) {
  X86Vcpu vcpu(size);
  // struct cpu_user_regs, public/arch-x86/xen-x86_32.h
  for (std::uint32_t i = 0; i < 7; ++i) {
    vcpu.put(516 + i * 4, 0xc000'0000 + i);
  }
  vcpu.put(516 + 32, std::uint32_t{0xc100'1234}).put(516 + 36, std::uint16_t{0xe019}).put(516 + 40, 0x202U);
  vcpu.put(516 + 44, std::uint32_t{0xc200'3ff0}).put(2716 + 3 * 4, std::uint32_t{0x1234'5678});
  return vcpu;
}

TEST(DecodeX86, A32BitPvGuest) {
  for (const std::size_t size : {kContextSize32, kContextSize64}) {
    const CpuState cpu = decode(GuestType::pv, compat(size), false);
    EXPECT_EQ(cpu.regs.get(kEip), 0xc100'1234U) << size;
    EXPECT_EQ(cpu.regs.get(kEsp), 0xc200'3ff0U);
    constexpr RegisterIndex kOrder[] = {kEbx, kEcx, kEdx, kEsi, kEdi, kEbp, kEax};
    for (std::size_t i = 0; i < std::size(kOrder); ++i) {
      EXPECT_EQ(cpu.regs.get(kOrder[i]), 0xc000'0000 + i) << registers32()[kOrder[i]].name;
    }
    EXPECT_EQ(cpu.regs.get(kCs32), 0xe019U);
    EXPECT_EQ(cpu.mode, "PV user");
    EXPECT_EQ(paging_of(cpu).mode, PagingMode::pae);
    EXPECT_EQ(paging_of(cpu).root, GuestPhys(0x678'1234'5000));
  }
}

TEST(DecodeX86, A32BitGuestHasNoUpperHalves) {
  X86Vcpu vcpu;
  vcpu.rip(0xffff'ffff'c100'0000).rsp(0x1'c200'0000).user(80, 0xdead'beef'1234'5678);
  const CpuState cpu = decode(GuestType::hvm, vcpu, false);
  EXPECT_EQ(cpu.regs.get(kEip), 0xc100'0000U);
  EXPECT_EQ(cpu.regs.get(kEsp), 0xc200'0000U);
  EXPECT_EQ(cpu.regs.get(kEax), 0x1234'5678U);
}

TEST(DecodeX86, AContextOfAnotherSizeIsRefused) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kContextSize32 - 1, kContextSize32 + 1,
                                 kContextSize64 - 1, kContextSize64 + 1, std::size_t{100000}}) {
    const X86Vcpu vcpu(size);
    for (const GuestType type : {GuestType::pv, GuestType::hvm}) {
      const auto cpu = decode64(test::guest_of_type(type), vcpu.vcpu);
      ASSERT_FALSE(cpu) << size;
      EXPECT_EQ(cpu.error().code, Errc::bad_format);
      EXPECT_FALSE(decode32(test::guest_of_type(type), vcpu.vcpu)) << size;
    }
  }
}

TEST(DecodeX86, AnotherRootKeepsTheRegime) {
  X86Vcpu vcpu;
  vcpu.cr(0, kPaging).cr(3, 0x1000).cr(4, kPae | kLa57);
  const auto root_with = [](const CpuState& cpu) {
    const auto other = with_root(cpu, GuestPhys(0x7000));
    return dynamic_cast<const PageTables&>(*other).paging();
  };
  EXPECT_EQ(root_with(decode(GuestType::hvm, vcpu)).mode, PagingMode::five);
  EXPECT_EQ(root_with(decode(GuestType::hvm, vcpu)).root, GuestPhys(0x7000));
  vcpu.cr(4, 0);
  EXPECT_EQ(root_with(decode(GuestType::hvm, vcpu, false)).mode, PagingMode::two);
  vcpu.cr(0, 1);  // paging is still off: what its kernel will use
  EXPECT_EQ(root_with(decode(GuestType::hvm, vcpu)).mode, PagingMode::four);
  EXPECT_EQ(root_with(decode(GuestType::hvm, vcpu, false)).mode, PagingMode::pae);
}

}  // namespace
}  // namespace xstack::x86
