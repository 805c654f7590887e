// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

#include "arch/arm64/registers.h"
#include "tests/unit/arch/arm64/context.h"

namespace xstack {
namespace {

using test::Arm64Context;
using namespace arm64;

TEST(Arm64Decode, TakesEveryFieldOfANewContext) {
  Arm64Context context;
  for (unsigned i = 0; i <= 30; ++i) {
    context.x(i, 0x100 + i);
  }
  context.pc(0xffff'8000'0801'0000).cpsr(0x1'6000'03c5).spsr_el1(0x2'0000'0005).sp_el0(1).sp_el1(2).elr_el1(3);
  context.put(336, 0xabc000).put(344, 0xdef000);
  const CpuState cpu = context.decode();
  for (RegisterIndex i = 0; i <= 30; ++i) {
    EXPECT_EQ(cpu.regs.get(i), 0x100U + i);
  }
  EXPECT_EQ(cpu.regs.get(kPc), 0xffff'8000'0801'0000U);
  EXPECT_EQ(cpu.regs.get(kPstate), 0x1'6000'03c5U);
  EXPECT_EQ(cpu.regs.get(kSpsrEl1), 0x2'0000'0005U);
  EXPECT_EQ(cpu.regs.get(kSpEl0), 1U);
  EXPECT_EQ(cpu.regs.get(kSpEl1), 2U);
  EXPECT_EQ(cpu.regs.get(kElrEl1), 3U);
  EXPECT_EQ(cpu.regs.get(kTtbr0), 0xabc000U);
  EXPECT_EQ(cpu.regs.get(kTtbr1), 0xdef000U);
  EXPECT_EQ(cpu.mode, "EL1h");
  EXPECT_FALSE(cpu.user);
  EXPECT_TRUE(cpu.mmu_on);
  EXPECT_TRUE(cpu.warnings.empty());
}

TEST(Arm64Decode, TakesEveryFieldOfAnOldContext) {
  VcpuContext vcpu;
  vcpu.context.resize(344);
  const auto put = [&](std::size_t offset, auto value) {
    std::memcpy(vcpu.context.data() + offset, &value, sizeof value);
  };
  put(264, std::uint32_t{0x6000'0005});
  put(268, std::uint32_t{0x8000'0000});
  put(288, std::uint64_t{0x10});
  put(296, std::uint64_t{0x20});
  put(304, std::uint64_t{0x30});
  put(312, std::uint64_t{0});  // MMU off
  put(320, std::uint64_t{0x40});
  put(328, std::uint64_t{0x50});
  put(336, std::uint64_t{0x60});
  const CpuState cpu = arm64_ops().decode(GuestIdentity{}, vcpu).value();
  EXPECT_EQ(cpu.regs.get(kPstate), 0x6000'0005U);
  EXPECT_EQ(cpu.regs.get(kSpsrEl1), 0x8000'0000U);
  EXPECT_EQ(cpu.regs.get(kSpEl0), 0x10U);
  EXPECT_EQ(cpu.regs.get(kSpEl1), 0x20U);
  EXPECT_EQ(cpu.regs.get(kElrEl1), 0x30U);
  EXPECT_EQ(cpu.regs.get(kTcr), 0x40U);
  EXPECT_EQ(cpu.regs.get(kTtbr0), 0x50U);
  EXPECT_EQ(cpu.regs.get(kTtbr1), 0x60U);
  EXPECT_FALSE(cpu.mmu_on);
}

TEST(Arm64Decode, ChoosesTheLiveStackPointerByMode) {
  Arm64Context context;
  context.sp_el0(0xe10).sp_el1(0xe11).x(13, 0x5'0000'1d00);
  EXPECT_EQ(context.cpsr(0x5).decode().regs.get(kSp), 0xe11U);
  EXPECT_STREQ(context.decode().current_bank, "EL1");
  EXPECT_EQ(context.cpsr(0x4).decode().regs.get(kSp), 0xe10U);
  EXPECT_EQ(context.decode().mode, "EL1t");
  EXPECT_FALSE(context.decode().user);
  EXPECT_EQ(context.cpsr(0x8000'0000).decode().regs.get(kSp), 0xe10U);
  EXPECT_EQ(context.decode().mode, "EL0t");
  EXPECT_TRUE(context.decode().user);
  EXPECT_EQ(context.cpsr(0x2000'0010).decode().regs.get(kSp), 0x1d00U);
  EXPECT_EQ(context.decode().mode, "EL0 AArch32");
  EXPECT_TRUE(context.decode().user);
}

TEST(Arm64Decode, RefusesAnImpossibleSize) {
  VcpuContext vcpu;
  vcpu.context.resize(336);
  const auto cpu = arm64_ops().decode(GuestIdentity{}, vcpu);
  ASSERT_FALSE(cpu);
  EXPECT_EQ(cpu.error().code, Errc::bad_format);
}

TEST(Arm64Decode, SaysThatAGuestIsBigEndian) {
  Arm64Context context;
  context.put(320, 0x32d0'198dULL);
  ASSERT_EQ(context.decode().warnings.size(), 1U);
}

TEST(Arm64Decode, NamesEveryRegisterOnce) {
  std::set<std::string> names;
  for (const RegisterInfo& info : register_table()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
  }
  EXPECT_STREQ(register_table()[kTtbr1].name, "ttbr1");
  EXPECT_STREQ(register_table()[kSp].name, "sp");
}

}  // namespace
}  // namespace xstack
