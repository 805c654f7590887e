// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/detect.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "arch/x86/context.h"
#include "tests/unit/arch/x86/context_builder.h"

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

using test::X86Vcpu;

Result<ArchGuess> detect(GuestType type, const std::vector<VcpuContext>& vcpus) {
  return detect_x86(test::guest_of_type(type), vcpus);
}
ArchGuess detect(const X86Vcpu& vcpu, GuestType type = GuestType::hvm) {
  return detect(type, {vcpu.vcpu}).value_or(ArchGuess{});
}

constexpr std::uint64_t kPaging = 0x80050033;
constexpr std::uint64_t kPae = 0x20;

TEST(DetectX86, APvGuestsContextHasItsWidthsLayout) {
  EXPECT_EQ(detect(X86Vcpu().cr(3, 0x1000), GuestType::pv).id, ArchId::x86_64);
  EXPECT_EQ(detect(X86Vcpu(x86::kContextSize32), GuestType::pv).id, ArchId::x86_32);
  // A toolstack that always reads the larger form: the 64-bit one's CR3 and gs base are zero then.
  X86Vcpu large;
  large.put(2716 + 3 * 4, std::uint32_t{0x12345});
  EXPECT_EQ(detect(large, GuestType::pv).id, ArchId::x86_32);
  EXPECT_EQ(detect(large.put(5152, std::uint64_t{0xffff888000000000}), GuestType::pv).id, ArchId::x86_64);
}

TEST(DetectX86, LongModeIsProof) {
  X86Vcpu vcpu;
  vcpu.selectors(0x73, 0x7b).cr(0, kPaging).cr(4, kPae).record(992, 1U << 10);  // a 32-bit program, say
  EXPECT_EQ(detect(vcpu).id, ArchId::x86_64);
  EXPECT_NE(detect(vcpu).why.find("EFER.LMA"), std::string::npos);
  vcpu.record(992, 0);
  EXPECT_EQ(detect(vcpu).id, ArchId::x86_32);
  EXPECT_NE(detect(vcpu).why.find("EFER.LMA is clear"), std::string::npos);
  vcpu.cr(0, 1);  // paging is still off: neither is proven
  EXPECT_NE(detect(vcpu).why.find("guess"), std::string::npos);
}

TEST(DetectX86, AddressesAboveFourGiBAreLongMode) {
  EXPECT_EQ(detect(X86Vcpu().rip(0xffffffff81000000)).id, ArchId::x86_64);
  EXPECT_EQ(detect(X86Vcpu().rsp(0x7fff12345678)).id, ArchId::x86_64);
  EXPECT_EQ(detect(X86Vcpu().put(5152, std::uint64_t{0xffff88803ec00000})).id, ArchId::x86_64);
  EXPECT_NE(detect(X86Vcpu().rip(0xffffffff)).why.find("guess"), std::string::npos);
}

TEST(DetectX86, PagingWithoutPaeIsNarrow) {
  EXPECT_EQ(detect(X86Vcpu().cr(0, kPaging).rip(0x1000)).id, ArchId::x86_32);
  EXPECT_NE(detect(X86Vcpu().cr(0, kPaging).cr(4, kPae).rip(0x1000)).why.find("guess"), std::string::npos);
}

TEST(DetectX86, RingZeroInTheUpperHalfOfFourGiBIsNarrow) {
  X86Vcpu vcpu;
  vcpu.cr(0, kPaging).cr(4, kPae).rip(0xc1000000).selectors(0x10, 0x18);
  EXPECT_EQ(detect(vcpu).id, ArchId::x86_32);
  EXPECT_NE(detect(vcpu.selectors(0x13, 0x1b)).why.find("guess"), std::string::npos) << "not in ring 3";
}

TEST(DetectX86, OneVcpuInLongModeOutweighsOthers) {
  X86Vcpu starting;
  starting.cr(0, kPaging).rip(0x9f000);  // in the trampoline of a vCPU that comes up
  X86Vcpu running;
  running.cr(0, kPaging).cr(4, kPae).rip(0xffffffff81000000);
  EXPECT_EQ(detect(GuestType::hvm, {starting.vcpu, running.vcpu})->id, ArchId::x86_64);
  EXPECT_EQ(detect(GuestType::hvm, {running.vcpu, starting.vcpu})->id, ArchId::x86_64);
  EXPECT_EQ(detect(GuestType::hvm, {starting.vcpu, VcpuContext{}})->id, ArchId::x86_32);
}

TEST(DetectX86, WithoutRegistersItSaysSo) {
  EXPECT_EQ(detect(GuestType::hvm, {}).error().code, Errc::not_found);
  EXPECT_EQ(detect(GuestType::hvm, {VcpuContext{}}).error().code, Errc::not_found);
  EXPECT_EQ(detect(GuestType::hvm, {X86Vcpu(123).vcpu}).error().code, Errc::bad_format);
  EXPECT_TRUE(detect(GuestType::hvm, {X86Vcpu(123).vcpu, X86Vcpu().vcpu})) << "one good vCPU is enough";
}

}  // namespace
}  // namespace xstack
