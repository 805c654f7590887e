// SPDX-License-Identifier: LGPL-2.1-or-later
// Registers out of cores and saved guests: what they hold is decoded, and what they do not hold stays unknown.
#include "guest/prstatus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "arch/arch.h"

namespace xstack {
namespace {

/// A context whose register words count up from `first`.
VcpuContext status(std::size_t size, std::uint64_t first) {
  VcpuContext vcpu;
  vcpu.form = ContextForm::prstatus;
  vcpu.context.resize(size);
  const bool wide = size == prstatus::kX86_64 || size == prstatus::kArm64;
  const std::size_t word = wide ? 8 : 4;
  for (std::size_t at = wide ? prstatus::kRegisters64 : prstatus::kRegisters32; at + word <= size;
       at += word, ++first) {
    std::memcpy(vcpu.context.data() + at, &first, word);
  }
  return vcpu;
}

void put(std::vector<std::byte>& bytes, std::size_t at, std::uint64_t value) {
  bytes.resize(std::max(bytes.size(), at + 8));
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

Result<CpuState> decode(const VcpuContext& vcpu) {
  GuestIdentity guest;
  const auto arch = detect_arch(guest, std::span(&vcpu, 1));
  return arch ? arch_ops(arch->id).decode(guest, vcpu) : tl::unexpected(arch.error());
}

std::optional<std::uint64_t> reg(const CpuState& cpu, std::string_view name) {
  for (std::size_t i = 0; i < cpu.arch->registers.size(); ++i) {
    if (name == cpu.arch->registers[i].name) {
      return cpu.regs.get(static_cast<RegisterIndex>(i));
    }
  }
  ADD_FAILURE() << "no register " << name;
  return std::nullopt;
}

TEST(Prstatus, Arm32) {
  auto vcpu = status(prstatus::kArm32, 0x100);
  vcpu.context[prstatus::kRegisters32 + 64] = std::byte{0x93};  // SVC
  const auto cpu = decode(vcpu);
  ASSERT_TRUE(cpu) << cpu.error().message;
  EXPECT_EQ(cpu->arch->id, ArchId::arm32);
  EXPECT_EQ(cpu->mode, "SVC");
  EXPECT_FALSE(cpu->user);
  EXPECT_EQ(reg(*cpu, "r0"), 0x100U);
  EXPECT_EQ(reg(*cpu, "sp"), 0x10dU);
  EXPECT_EQ(reg(*cpu, "sp_svc"), 0x10dU);
  EXPECT_EQ(reg(*cpu, "lr_svc"), 0x10eU);
  EXPECT_EQ(reg(*cpu, "pc"), 0x10fU);
  for (const char* unknown : {"sp_irq", "spsr_svc", "lr_usr", "sctlr", "ttbcr", "ttbr0", "ttbr1"}) {
    EXPECT_EQ(reg(*cpu, unknown), std::nullopt) << unknown;
  }
  EXPECT_TRUE(cpu->translations.empty());
}

TEST(Prstatus, Arm64) {
  auto vcpu = status(prstatus::kArm64, 0x100);
  const std::size_t pstate = prstatus::kRegisters64 + 33 * 8;
  put(vcpu.context, pstate, 0x3c5);
  const auto cpu = decode(vcpu);
  ASSERT_TRUE(cpu) << cpu.error().message;
  EXPECT_EQ(cpu->arch->id, ArchId::arm64);
  EXPECT_EQ(cpu->mode, "EL1h");
  EXPECT_EQ(reg(*cpu, "x30"), 0x11eU);
  EXPECT_EQ(reg(*cpu, "sp"), 0x11fU);
  EXPECT_EQ(reg(*cpu, "sp_el1"), 0x11fU);
  EXPECT_EQ(reg(*cpu, "pc"), 0x120U);
  for (const char* unknown : {"sp_el0", "elr_el1", "spsr_el1", "sctlr", "tcr", "ttbr0", "ttbr1"}) {
    EXPECT_EQ(reg(*cpu, unknown), std::nullopt) << unknown;
  }
  EXPECT_TRUE(cpu->translations.empty());
  put(vcpu.context, pstate, 0);
  const auto user = decode(vcpu);
  EXPECT_TRUE(user->user);
  EXPECT_EQ(reg(*user, "sp_el0"), 0x11fU);
  EXPECT_EQ(reg(*user, "sp_el1"), std::nullopt);
}

TEST(Prstatus, X86_64WithoutAndWithQemusNote) {
  auto vcpu = status(prstatus::kX86_64, 0x100);
  put(vcpu.context, prstatus::kRegisters64 + 17 * 8, 0x10);  // cs
  const auto cpu = decode(vcpu);
  ASSERT_TRUE(cpu) << cpu.error().message;
  EXPECT_EQ(cpu->arch->id, ArchId::x86_64);
  EXPECT_EQ(cpu->mode, "ring 0");
  EXPECT_EQ(reg(*cpu, "r15"), 0x100U);
  EXPECT_EQ(reg(*cpu, "rbp"), 0x104U);
  EXPECT_EQ(reg(*cpu, "rax"), 0x10aU);
  EXPECT_EQ(reg(*cpu, "rdi"), 0x10eU);
  EXPECT_EQ(reg(*cpu, "rip"), 0x110U);
  EXPECT_EQ(reg(*cpu, "rflags"), 0x112U);
  EXPECT_EQ(reg(*cpu, "rsp"), 0x113U);
  EXPECT_EQ(reg(*cpu, "gs"), 0x11aU);
  for (const char* unknown : {"cr0", "cr3", "cr4", "efer", "dr7", "fs_base", "gs_base_kernel", "gs_base_user"}) {
    EXPECT_EQ(reg(*cpu, unknown), std::nullopt) << unknown;
  }
  EXPECT_TRUE(cpu->translations.empty());

  vcpu.hvm_record.resize(440);
  put(vcpu.hvm_record, 152 + 4 * 24 + 16, 0xffff888000000001);  // the base of GS
  put(vcpu.hvm_record, 392, 0x80050033);                        // CR0
  put(vcpu.hvm_record, 392 + 3 * 8, 0x4000);
  put(vcpu.hvm_record, 392 + 4 * 8, 0x6f0);
  put(vcpu.hvm_record, 432, 0x7f0000000001);
  const auto more = decode(vcpu);
  EXPECT_EQ(reg(*more, "cr3"), 0x4000U);
  EXPECT_EQ(reg(*more, "gs_base_kernel"), 0xffff888000000001U);
  EXPECT_EQ(reg(*more, "gs_base_user"), 0x7f0000000001U);
  EXPECT_EQ(reg(*more, "dr7"), std::nullopt);
  EXPECT_EQ(reg(*more, "efer"), std::nullopt);
  ASSERT_EQ(more->translations.size(), 1U);
  EXPECT_THAT(more->translations[0]->describe(), testing::HasSubstr("0x4000"));
  put(vcpu.context, prstatus::kRegisters64 + 17 * 8, 0x33);
  EXPECT_EQ(reg(*decode(vcpu), "gs_base_kernel"), 0x7f0000000001U);  // swapped in user mode
}

TEST(Prstatus, X86_32) {
  auto vcpu = status(prstatus::kX86_32, 0x100);
  const auto cpu = decode(vcpu);
  ASSERT_TRUE(cpu) << cpu.error().message;
  EXPECT_EQ(cpu->arch->id, ArchId::x86_32);
  EXPECT_EQ(reg(*cpu, "ebx"), 0x100U);
  EXPECT_EQ(reg(*cpu, "eax"), 0x106U);
  EXPECT_EQ(reg(*cpu, "eip"), 0x10cU);
  EXPECT_EQ(reg(*cpu, "esp"), 0x10fU);
  EXPECT_EQ(reg(*cpu, "ss"), 0x110U);
  EXPECT_EQ(reg(*cpu, "cr3"), std::nullopt);
}

TEST(Prstatus, OtherSizesAreRefused) {
  EXPECT_EQ(decode(status(400, 0)).error().code, Errc::unsupported);
  auto vcpu = status(prstatus::kArm64, 0);
  EXPECT_EQ(arch_ops(ArchId::x86_64).decode({}, vcpu).error().code, Errc::bad_format);
  EXPECT_EQ(arch_ops(ArchId::arm32).decode({}, vcpu).error().code, Errc::bad_format);
}

TEST(HvmRecord, AloneHasAllRegisters) {
  VcpuContext vcpu;
  vcpu.form = ContextForm::hvm_record;
  vcpu.context.resize(1024);
  auto& record = vcpu.context;
  put(record, 512, 0x10);  // rax
  put(record, 544, 0x50);  // rbp
  put(record, 568, 0x40);  // rsp
  put(record, 576, 0x80);  // r8
  put(record, 640, 0xffffffff81000000);
  put(record, 656, 0x80050033);
  put(record, 672, 0x6000);
  put(record, 680, 0x6f0);
  put(record, 728, 0x400);  // dr7
  put(record, 736, 0x10);   // cs, and ds
  put(record, 840, 0xffff888000000000);
  put(record, 944, 0x7f0000000000);
  put(record, 992, 0xd01);  // EFER
  const auto cpu = decode(vcpu);
  ASSERT_TRUE(cpu) << cpu.error().message;
  EXPECT_EQ(cpu->arch->id, ArchId::x86_64);
  EXPECT_EQ(reg(*cpu, "rax"), 0x10U);
  EXPECT_EQ(reg(*cpu, "rbp"), 0x50U);
  EXPECT_EQ(reg(*cpu, "rsp"), 0x40U);
  EXPECT_EQ(reg(*cpu, "r8"), 0x80U);
  EXPECT_EQ(reg(*cpu, "rip"), 0xffffffff81000000U);
  EXPECT_EQ(reg(*cpu, "cr3"), 0x6000U);
  EXPECT_EQ(reg(*cpu, "dr7"), 0x400U);
  EXPECT_EQ(reg(*cpu, "cs"), 0x10U);
  EXPECT_EQ(reg(*cpu, "efer"), 0xd01U);
  EXPECT_EQ(reg(*cpu, "gs_base_kernel"), 0xffff888000000000U);
  EXPECT_EQ(reg(*cpu, "gs_base_user"), 0x7f0000000000U);
  EXPECT_EQ(cpu->translations.size(), 1U);
  vcpu.context.resize(500);
  EXPECT_FALSE(arch_ops(ArchId::x86_64).decode({}, vcpu));
}

}  // namespace
}  // namespace xstack
