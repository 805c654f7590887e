// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that QEMU 7.2 wrote (dump-guest-memory, plain and -z) of machines that were never started: two CPUs, a program
// counter that QEMU's loader set, and a device tree at the start of 2 MiB of memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/arch.h"
#include "guest/dump/open.h"
#include "tests/unit/guest/scratch_directory.h"

namespace xstack {
namespace {

using testing::HasSubstr;
using testing::Optional;

std::string file(const std::string& name) {
  return std::string(XSTACK_TEST_DATA) + "/formats/" + name;
}

class RealDumps : public testing::TestWithParam<std::pair<const char*, ArchId>> {};

TEST_P(RealDumps, AreReadAsQemuWroteThem) {
  const auto& [name, arch] = GetParam();
  const auto guest = open_dump(file(name));
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_FALSE((*guest)->cut_short());
  const auto magic = (*guest)->memory().read_value<std::uint32_t>(GuestPhys(0x40000000));
  EXPECT_TRUE(magic && *magic == 0xedfe0dd0);  // big-endian 0xd00dfeed
  EXPECT_FALSE((*guest)->memory().read_value<std::uint8_t>(GuestPhys(0x3fffffff)));
  EXPECT_TRUE((*guest)->memory().read_value<std::uint8_t>(GuestPhys(0x401fffff)));
  EXPECT_FALSE((*guest)->memory().read_value<std::uint8_t>(GuestPhys(0x40200000)));
  const auto vcpus = (*guest)->vcpus();
  ASSERT_TRUE(vcpus);
  ASSERT_EQ(vcpus->size(), 2U);
  const auto guess = detect_arch((*guest)->identity(), *vcpus);
  ASSERT_TRUE(guess);
  EXPECT_EQ(guess->id, arch);
  const auto cpu = arch_ops(arch).decode((*guest)->identity(), (*vcpus)[0]);
  ASSERT_TRUE(cpu) << cpu.error().message;
  EXPECT_EQ(cpu->regs.get(cpu->arch->pc), 0x40001000U);
  EXPECT_EQ(cpu->mode, arch == ArchId::arm64 ? "EL1h" : "SVC");
  const auto other = arch_ops(arch).decode((*guest)->identity(), (*vcpus)[1]);
  EXPECT_EQ(other->regs.get(cpu->arch->pc), 0U);
}

INSTANTIATE_TEST_SUITE_P(OfQemu, RealDumps,
                         testing::Values(std::pair{"qemu-arm64.elf.zst", ArchId::arm64},
                                         std::pair{"qemu-arm64.kz.zst", ArchId::arm64},
                                         std::pair{"qemu-arm32.elf.zst", ArchId::arm32},
                                         std::pair{"qemu-arm32.kz.zst", ArchId::arm32}));

TEST(RealDumps, SayWhatTheyAre) {
  const auto elf = open_dump(file("qemu-arm32.elf.zst"));
  ASSERT_TRUE(elf);
  EXPECT_THAT((*elf)->identity().format, Optional(HasSubstr("ELF32 core of a machine")));
  EXPECT_THAT((*elf)->identity().lacks, testing::ElementsAre(HasSubstr("roots of page tables")));
  const auto kdump = open_dump(file("qemu-arm64.kz.zst"));
  ASSERT_TRUE(kdump);
  EXPECT_THAT((*kdump)->identity().format, Optional(HasSubstr("kdump file, version 6, zlib")));
}

}  // namespace
}  // namespace xstack
