// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/standstill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string_view>

#include "arch/arm32/registers.h"
#include "arch/arm64/registers.h"
#include "arch/x86/registers.h"
#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

using testing::HasSubstr;
using Kind = Standstill::Kind;

constexpr std::uint64_t kCode = 0x40008100;

struct Machine {
  explicit Machine(ArchId id, GuestType type = GuestType::arm) {
    guest.type = type;
    cpu.arch = &arch_ops(id);
    cpu.mmu_on = false;
    cpu.regs.set(cpu.arch->pc, kCode);
  }
  template <class T>
  Machine& code(std::initializer_list<T> words, std::uint64_t at = kCode) {
    for (const T word : words) {
      memory->put(GuestVirt(at), word);
      at += sizeof word;
    }
    return *this;
  }
  Machine& set(RegisterIndex index, std::uint64_t value) {
    cpu.regs.set(index, value);
    return *this;
  }
  std::optional<Standstill> look() { return standstill_of(guest, cpu, *memory); }
  std::optional<Kind> kind() {
    const auto found = look();
    return found ? std::optional(found->kind) : std::nullopt;
  }
  std::optional<std::string> fresh() { return not_started(guest, cpu, *memory); }

  GuestIdentity guest;
  CpuState cpu;
  std::shared_ptr<test::FakeVirt> memory = std::make_shared<test::FakeVirt>();
};

Machine arm32(std::uint32_t cpsr) {
  Machine machine(ArchId::arm32);
  machine.set(arm32::kCpsr, cpsr);
  return machine;
}

Machine arm64(std::uint64_t pstate) {
  Machine machine(ArchId::arm64);
  machine.set(arm64::kPstate, pstate);
  return machine;
}

TEST(Standstill, Arm32WaitsAndBranches) {
  EXPECT_EQ(arm32(0x1d3).code<std::uint32_t>({0xe320f003, 0xe12fff1e}).kind(), Kind::waits_for_interrupt);
  EXPECT_EQ(arm32(0x1d3).code<std::uint32_t>({0xeafffffe}).kind(), Kind::branches_to_itself);
  // 1: wfe; nop; b 1b, entered anywhere
  for (const std::uint64_t at : {0U, 4U, 8U}) {
    auto machine = arm32(0x1d3);
    machine.code<std::uint32_t>({0xe320f002, 0xe1a00000, 0xeafffffc}, kCode - at);
    EXPECT_EQ(machine.kind(), Kind::waits_for_event) << at;
    EXPECT_THAT(machine.look()->how, HasSubstr("a loop of 3 instructions round a WFE"));
  }
  // mov r0, r0; b .-4: how head.S ends when it gives up
  EXPECT_EQ(arm32(0x1d3).code<std::uint32_t>({0xe1a00000, 0xeafffffd}).kind(), Kind::empty_loop);
  // Xen suspends a vCPU behind the WFI.
  auto behind = arm32(0x60000093);
  behind.code<std::uint32_t>({0xe320f003, 0xe12fff1e}, kCode - 4);
  EXPECT_EQ(behind.kind(), Kind::waits_for_interrupt);
  EXPECT_EQ(behind.look()->masked, true);
  EXPECT_THAT(behind.look()->how, HasSubstr("before pc"));
  EXPECT_EQ(arm32(0x60000013).code<std::uint32_t>({0xe320f003}).look()->masked, false);
}

TEST(Standstill, Arm32WorkIsNone) {
  EXPECT_EQ(arm32(0x1d3).code<std::uint32_t>({0xe2800001, 0xeafffffd}).kind(), std::nullopt);  // add r0, r0, #1; b
  EXPECT_EQ(arm32(0x1d3).code<std::uint32_t>({0x0afffffe}).kind(), std::nullopt);              // beq .
  EXPECT_EQ(arm32(0x1d3).kind(), std::nullopt);                                                // nothing there
}

TEST(Standstill, Thumb) {
  EXPECT_EQ(arm32(0x1f3).code<std::uint16_t>({0xbf30}).kind(), Kind::waits_for_interrupt);
  EXPECT_EQ(arm32(0x1f3).code<std::uint16_t>({0xe7fe}).kind(), Kind::branches_to_itself);
  EXPECT_EQ(arm32(0x1f3).code<std::uint16_t>({0xf7ff, 0xbffe}).kind(), Kind::branches_to_itself);  // b.w .
  EXPECT_EQ(arm32(0x1f3).code<std::uint16_t>({0xbf20, 0xe7fd}).kind(), Kind::waits_for_event);
  EXPECT_EQ(arm32(0x1f3).code<std::uint16_t>({0xbf30, 0x4770}, kCode - 2).kind(), Kind::waits_for_interrupt);
}

TEST(Standstill, Arm32TakesTheSameExceptionAgain) {
  // As a guest of the lab had it: a jump to nowhere, and no memory at the vectors.
  auto machine = arm32(0x200001d7);
  machine.set(arm32::kPc, 0xc).set(arm32::kLrAbt, 0xc).set(arm32::kSpsrAbt, 0x200001d7);
  EXPECT_EQ(machine.kind(), Kind::retakes_exception);
  EXPECT_THAT(machine.look()->how, HasSubstr("prefetch abort"));
  machine.set(arm32::kLrAbt, 0x10);
  EXPECT_EQ(machine.kind(), Kind::retakes_exception);
  machine.set(arm32::kSpsrAbt, 0x200001d3);  // the first one, from SVC
  EXPECT_EQ(machine.kind(), std::nullopt);
  machine.set(arm32::kSpsrAbt, 0x200001d7).set(arm32::kLrAbt, 0x40008000);
  EXPECT_EQ(machine.kind(), std::nullopt);
}

TEST(Standstill, Arm64) {
  EXPECT_EQ(arm64(0x3c5).code<std::uint32_t>({0xd503207f, 0xd65f03c0}).kind(), Kind::waits_for_interrupt);
  EXPECT_EQ(arm64(0x3c5).code<std::uint32_t>({0xd503207f, 0xd65f03c0}, kCode - 4).kind(), Kind::waits_for_interrupt);
  EXPECT_EQ(arm64(0x3c5).code<std::uint32_t>({0xd503205f, 0xd503207f, 0x17fffffe}).kind(), Kind::waits_for_interrupt);
  EXPECT_EQ(arm64(0x3c5).code<std::uint32_t>({0x14000000}).kind(), Kind::branches_to_itself);
  EXPECT_EQ(arm64(0x3c5).code<std::uint32_t>({0xd503203f, 0x17ffffff}).kind(), Kind::empty_loop);
  EXPECT_EQ(arm64(0x3c5).code<std::uint32_t>({0x91000400, 0x17ffffff}).kind(), std::nullopt);
  EXPECT_EQ(arm64(0x3c5).code<std::uint32_t>({0xd503207f}).look()->masked, true);
  EXPECT_EQ(arm64(0x345).code<std::uint32_t>({0xd503207f}).look()->masked, false);
}

TEST(Standstill, Arm64TakesTheSameExceptionAgain) {
  auto machine = arm64(0x3c5);
  machine.set(arm64::kPc, 0x200).set(arm64::kElrEl1, 0x200).set(arm64::kSpsrEl1, 0x3c5);
  EXPECT_EQ(machine.kind(), Kind::retakes_exception);
  machine.set(arm64::kElrEl1, 0x40080000);
  EXPECT_EQ(machine.kind(), std::nullopt);
  machine.set(arm64::kElrEl1, 0x200).set(arm64::kSpsrEl1, 0x3c0);  // from user mode
  EXPECT_EQ(machine.kind(), std::nullopt);
}

TEST(Standstill, X86) {
  const auto hvm = [](std::initializer_list<std::uint8_t> code, std::uint64_t at = kCode, std::uint64_t flags = 0x246) {
    Machine machine(ArchId::x86_64, GuestType::hvm);
    machine.set(x86::kRflags, flags).code<std::uint8_t>(code, at);
    return machine;
  };
  EXPECT_EQ(hvm({0xf4, 0xeb, 0xfd}).kind(), Kind::waits_for_interrupt);
  EXPECT_EQ(hvm({0xfb, 0xf4, 0xc3}, kCode - 2).kind(), Kind::waits_for_interrupt);
  EXPECT_EQ(hvm({0xfa, 0xf4, 0xc3}, kCode - 2, 2).look()->masked, true);
  EXPECT_EQ(hvm({0x00, 0xf4, 0xc3}, kCode - 2).kind(), std::nullopt);  // may be the end of any instruction
  EXPECT_EQ(hvm({0xeb, 0xfe}).kind(), Kind::branches_to_itself);
  EXPECT_EQ(hvm({0xe9, 0xfb, 0xff, 0xff, 0xff}).kind(), Kind::branches_to_itself);
  EXPECT_EQ(hvm({0xf3, 0x90, 0xeb, 0xfc}).kind(), Kind::empty_loop);
  EXPECT_EQ(hvm({0x48, 0xff, 0xc0, 0xeb, 0xfb}).kind(), std::nullopt);
  Machine pv(ArchId::x86_64, GuestType::pv);
  pv.set(x86::kRflags, 0x246).code<std::uint8_t>({0xeb, 0xfe});
  EXPECT_EQ(pv.look()->masked, std::nullopt);  // not in its flags
}

TEST(NotStarted, Arm) {
  auto machine = arm32(0x1d3);
  for (RegisterIndex i = 0; i < 15; ++i) {
    machine.set(i, 0);
  }
  machine.set(1, 0xffffffff).set(2, 0x47fff000);
  EXPECT_EQ(machine.fresh(), std::nullopt);  // no device tree there
  machine.memory->put(GuestVirt(0x47fff000), std::uint32_t{0xedfe0dd0});
  EXPECT_TRUE(machine.fresh());
  machine.set(arm32::kCpsr, 0x400001d3);  // Xen's own flags
  EXPECT_TRUE(machine.fresh());
  machine.set(9, 1);
  EXPECT_EQ(machine.fresh(), std::nullopt);

  auto wide = arm64(0x3c5);
  for (RegisterIndex i = 0; i <= arm64::kSp; ++i) {
    wide.set(i, 0);
  }
  wide.set(0, 0x47fff000);
  EXPECT_EQ(wide.fresh(), std::nullopt);
  wide.memory->put(GuestVirt(0x47fff000), std::uint32_t{0xedfe0dd0});
  EXPECT_TRUE(wide.fresh());
  wide.set(arm64::kLr, 0x40080000);
  EXPECT_EQ(wide.fresh(), std::nullopt);
}

TEST(NotStarted, X86) {
  for (const GuestType type : {GuestType::hvm, GuestType::pv}) {
    Machine machine(ArchId::x86_64, type);
    for (RegisterIndex i = x86::kRax; i <= x86::kR15; ++i) {
      machine.set(i, 0);
    }
    const RegisterIndex info = type == GuestType::pv ? x86::kRsi : x86::kRbx;
    machine.set(info, 0x5000);
    EXPECT_EQ(machine.fresh(), std::nullopt);
    if (type == GuestType::pv) {
      const std::string_view magic("xen-3.0-x86_64", 15);
      machine.memory->put_bytes(GuestVirt(0x5000), std::as_bytes(std::span(magic)));
      machine.set(x86::kRsp, 0xffffffff82c00000);
    } else {
      machine.memory->put(GuestVirt(0x5000), std::uint32_t{0x336ec578});
      machine.memory->put(GuestVirt(0x5004), std::uint64_t{1});
      machine.memory->put(GuestVirt(0x500c), std::uint32_t{0});
    }
    EXPECT_TRUE(machine.fresh());
    machine.set(x86::kRcx, 1);
    EXPECT_EQ(machine.fresh(), std::nullopt);
  }
}

}  // namespace
}  // namespace xstack
