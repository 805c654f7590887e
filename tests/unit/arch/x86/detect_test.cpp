// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/detect.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "arch/x86/context.h"

namespace xstack {
namespace {

/// A vCPU of an HVM guest in user mode with paging and PAE on, without a save record.
VcpuContext user_vcpu(std::uint16_t cs, std::uint16_t ss, std::uint64_t cr3, std::uint64_t cr4 = 0x20) {
  VcpuContext vcpu;
  vcpu.context.resize(x86::kContextSize64);
  const auto put = [&](std::size_t at, auto value) { std::memcpy(&vcpu.context[at], &value, sizeof value); };
  put(520 + 128, std::uint64_t{0x08171435});  // rip
  put(520 + 136, cs);
  put(520 + 160, ss);
  put(4984, std::uint64_t{0x80050033});  // cr0
  put(4984 + 3 * 8, cr3);
  put(4984 + 4 * 8, cr4);
  return vcpu;
}

ArchGuess detect(const VcpuContext& vcpu) {
  GuestIdentity guest;
  guest.type = GuestType::hvm;
  const auto found = detect_x86(guest, std::span(&vcpu, 1));
  EXPECT_TRUE(found);
  return found.value_or(ArchGuess{});
}

TEST(DetectX86, ATableOfFourEntriesIsPaeOutsideLongMode) {
  const auto guess = detect(user_vcpu(0, 0, 0x012914e0));
  EXPECT_EQ(guess.id, ArchId::x86_32);
  EXPECT_NE(guess.why.find("CR3"), std::string::npos);
}

TEST(DetectX86, CacheBitsOfCr3ProveNothing) {
  EXPECT_EQ(detect(user_vcpu(0, 0, 0x01291018)).id, ArchId::x86_64);
}

TEST(DetectX86, ProcessContextIdentifiersAreLongMode) {
  const auto guess = detect(user_vcpu(0, 0, 0x012914e0, 0x20020));
  EXPECT_EQ(guess.id, ArchId::x86_64);
  EXPECT_NE(guess.why.find("PCIDE"), std::string::npos);
}

TEST(DetectX86, SegmentsOfUserModeTellLinuxWidths) {
  const auto narrow = detect(user_vcpu(0x73, 0x7b, 0x01291000));
  EXPECT_EQ(narrow.id, ArchId::x86_32);
  EXPECT_NE(narrow.why.find("32-bit Linux"), std::string::npos);
  // A 32-bit program on a 64-bit kernel.
  const auto compat = detect(user_vcpu(0x23, 0x2b, 0x01291000));
  EXPECT_EQ(compat.id, ArchId::x86_64);
  EXPECT_NE(compat.why.find("64-bit Linux"), std::string::npos);
}

TEST(DetectX86, WithoutEvidenceItSaysThatItGuesses) {
  const auto guess = detect(user_vcpu(0x1b, 0x23, 0x01291000));
  EXPECT_EQ(guess.id, ArchId::x86_64);
  EXPECT_NE(guess.why.find("guess"), std::string::npos);
}

}  // namespace
}  // namespace xstack
