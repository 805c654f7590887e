// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/elf_core.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/endian.h"
#include "guest/dump/elf_file.h"
#include "vmcore/prstatus.h"

namespace xstack {
namespace {

RegisterIndex index_of(const ArchOps& arch, std::string_view name) {
  for (std::size_t i = 0; i < arch.registers.size(); ++i) {
    if (arch.registers[i].name == name) {
      return static_cast<RegisterIndex>(i);
    }
  }
  ADD_FAILURE() << "no register " << name;
  return 0;
}

CpuState cpu_of(ArchId id) {
  CpuState cpu;
  cpu.arch = &arch_ops(id);
  cpu.regs.set(cpu.arch->pc, 0x1234);
  cpu.regs.set(cpu.arch->sp, 0x5678);
  return cpu;
}

// Offsets: elf_prstatus of each architecture, as `readelf -n` and gdb take it.
TEST(Prstatus, PlacesOfEachArchitecture) {
  const auto arm = prstatus_note(cpu_of(ArchId::arm32), 7);
  EXPECT_EQ(arm.size(), 148U);
  EXPECT_EQ(load_le_at<std::uint32_t>(arm, 24), 7U);
  EXPECT_EQ(load_le_at<std::uint32_t>(arm, 72 + 15 * 4), 0x1234U);
  EXPECT_EQ(load_le_at<std::uint32_t>(arm, 72 + 13 * 4), 0x5678U);
  const auto arm64 = prstatus_note(cpu_of(ArchId::arm64), 7);
  EXPECT_EQ(arm64.size(), 392U);
  EXPECT_EQ(load_le_at<std::uint32_t>(arm64, 32), 7U);
  EXPECT_EQ(load_le_at<std::uint64_t>(arm64, 112 + 32 * 8), 0x1234U);
  EXPECT_EQ(load_le_at<std::uint64_t>(arm64, 112 + 31 * 8), 0x5678U);
  const auto x86 = prstatus_note(cpu_of(ArchId::x86_64), 7);
  EXPECT_EQ(x86.size(), 336U);
  EXPECT_EQ(load_le_at<std::uint64_t>(x86, 112 + 16 * 8), 0x1234U);
  EXPECT_EQ(load_le_at<std::uint64_t>(x86, 112 + 19 * 8), 0x5678U);
  const auto i386 = prstatus_note(cpu_of(ArchId::x86_32), 7);
  EXPECT_EQ(i386.size(), 144U);
  EXPECT_EQ(load_le_at<std::uint32_t>(i386, 72 + 12 * 4), 0x1234U);
  EXPECT_EQ(load_le_at<std::uint32_t>(i386, 72 + 15 * 4), 0x5678U);
}

TEST(Prstatus, UserModeHasItsOwnGsBase) {
  CpuState cpu = cpu_of(ArchId::x86_64);
  cpu.regs.set(index_of(*cpu.arch, "gs_base_kernel"), 0xaa);
  cpu.regs.set(index_of(*cpu.arch, "gs_base_user"), 0xbb);
  EXPECT_EQ(load_le_at<std::uint64_t>(prstatus_note(cpu, 1), 112 + 22 * 8), 0xaaU);
  cpu.user = true;
  EXPECT_EQ(load_le_at<std::uint64_t>(prstatus_note(cpu, 1), 112 + 22 * 8), 0xbbU);
}

struct Made {
  ElfFile elf;
  std::vector<std::byte> bytes;
};

Made make(ArchId arch, const CorePlan& plan) {
  GuestIdentity identity;
  std::vector<VcpuContext> vcpus(2);
  vcpus[1].id = 1;
  vcpus[1].presence = VcpuPresence::never_up;
  const CpuState cpu = cpu_of(arch);
  const CpuState* cpus[] = {&cpu, nullptr};
  Made made;
  const auto head = core_head({.arch = arch,
                               .identity = identity,
                               .vcpus = vcpus,
                               .cpus = cpus,
                               .vmcoreinfo = "OSRELEASE=6.1\nPAGESIZE=4096\n",
                               .facts = {}},
                              plan);
  EXPECT_TRUE(head);
  made.bytes = *head;
  made.bytes.resize(made.bytes.size() + plan.bytes);
  const auto elf = parse_elf(made.bytes);
  EXPECT_TRUE(elf) << elf.error().message;
  made.elf = *elf;
  return made;
}

CorePlan plan_at(std::uint64_t phys) {
  CorePlan plan;
  plan.bytes = 2 * kXenPageSize;
  plan.segments = {{GuestPhys(phys), GuestVirt(0xc0000000), kXenPageSize, 0},
                   {GuestPhys(phys + kXenPageSize), std::nullopt, kXenPageSize, kXenPageSize}};
  return plan;
}

TEST(ElfCore, NotesAndSegmentsAreWhereReadersLook) {
  const auto made = make(ArchId::arm64, plan_at(0x40000000));
  EXPECT_EQ(made.elf.machine, EM_AARCH64);
  ASSERT_EQ(made.elf.segments.size(), 3U);
  EXPECT_EQ(made.elf.segments[0].type, unsigned{PT_NOTE});
  EXPECT_EQ(made.elf.segments[1].physical, 0x40000000U);
  EXPECT_EQ(made.elf.segments[1].bytes.size(), kXenPageSize);
  EXPECT_FALSE(made.elf.segments[2].cut);
  int registers = 0;
  int info = 0;
  for (const auto& note : segment_notes(made.elf)) {
    registers += note.vendor == "CORE" && note.type == NT_PRSTATUS ? 1 : 0;
    info += note.vendor == "VMCOREINFO" && note.bytes.size() == 28 ? 1 : 0;
    EXPECT_TRUE(note.vendor != "XSTACK" || note.type >= 0x58530000) << "a type that debuggers would take for theirs";
  }
  EXPECT_EQ(registers, 1) << "a vCPU that was never brought up has no registers";
  EXPECT_EQ(info, 1);
}

TEST(ElfCore, ThirtyTwoBitGuestsGetThirtyTwoBitFilesWhereTheyFit) {
  const auto narrow = make(ArchId::arm32, plan_at(0x40000000));
  EXPECT_EQ(std::to_integer<int>(narrow.bytes[EI_CLASS]), ELFCLASS32);
  EXPECT_EQ(narrow.elf.machine, EM_ARM);
  EXPECT_EQ(narrow.elf.segments[1].physical, 0x40000000U);
  const auto wide = make(ArchId::arm32, plan_at(0x200000000));
  EXPECT_EQ(std::to_integer<int>(wide.bytes[EI_CLASS]), ELFCLASS64);
  EXPECT_EQ(wide.elf.segments[1].physical, 0x200000000U);
}

}  // namespace
}  // namespace xstack
