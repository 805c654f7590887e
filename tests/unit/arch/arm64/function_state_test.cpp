// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/function_state.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

using namespace arm64;
using Where = FunctionState::ReturnAddress;

constexpr std::uint64_t kStart = 0xffff'8000'0800'0000;

// Encodings as an assembler gives them.
constexpr std::uint32_t kNop = 0xd503'201f;
constexpr std::uint32_t kPaciasp = 0xd503'233f;
constexpr std::uint32_t kStpPre32 = 0xa9be'7bfd;   // stp x29, x30, [sp, #-32]!
constexpr std::uint32_t kMovFpSp = 0x9100'03fd;    // mov x29, sp
constexpr std::uint32_t kLdpPost32 = 0xa8c2'7bfd;  // ldp x29, x30, [sp], #32
constexpr std::uint32_t kRet = 0xd65f'03c0;
constexpr std::uint32_t kBl = 0x9400'1000;           // bl .+0x4000
constexpr std::uint32_t kSubSp64 = 0xd101'03ff;      // sub sp, sp, #64
constexpr std::uint32_t kStpOff48 = 0xa903'7bfd;     // stp x29, x30, [sp, #48]
constexpr std::uint32_t kAddFpSp48 = 0x9100'c3fd;    // add x29, sp, #48
constexpr std::uint32_t kStrLrPre16 = 0xf81f'0ffe;   // str x30, [sp, #-16]!
constexpr std::uint32_t kMovX9Lr = 0xaa1e'03e9;      // mov x9, x30
constexpr std::uint32_t kCbzX0Plus16 = 0xb400'0080;  // cbz x0, .+16
constexpr std::uint32_t kBrX1 = 0xd61f'0020;         // br x1

std::optional<FunctionState> at(const std::vector<std::uint32_t>& code, unsigned instruction) {
  test::FakeVirt memory;
  for (std::size_t i = 0; i < code.size(); ++i) {
    memory.put(GuestVirt(kStart + i * 4), code[i]);
  }
  return state_at(memory, GuestVirt(kStart), code.size() * 4, GuestVirt(kStart + instruction * 4));
}

TEST(Arm64FunctionState, FollowsAPrologueAndAnEpilogue) {
  const std::vector<std::uint32_t> code{kPaciasp, kStpPre32, kMovFpSp, kBl, kNop, kLdpPost32, kRet};
  for (const unsigned before : {0U, 1U}) {
    ASSERT_TRUE(at(code, before));
    EXPECT_EQ(at(code, before)->where, Where::live);
    EXPECT_EQ(at(code, before)->depth, 0);
  }
  const auto pushed = at(code, 2);
  ASSERT_TRUE(pushed);
  EXPECT_EQ(pushed->where, Where::saved);
  EXPECT_TRUE(pushed->fp_saved);
  EXPECT_FALSE(pushed->fp_is_record);
  EXPECT_EQ(pushed->depth, 32);
  EXPECT_EQ(pushed->record_depth, 32);
  const auto body = at(code, 4);  // x30 is stale behind the call
  ASSERT_TRUE(body);
  EXPECT_EQ(body->where, Where::saved);
  EXPECT_TRUE(body->fp_is_record);
  const auto undone = at(code, 6);
  ASSERT_TRUE(undone);
  EXPECT_EQ(undone->where, Where::live);
  EXPECT_FALSE(undone->fp_is_record);
  EXPECT_EQ(undone->depth, 0);
}

TEST(Arm64FunctionState, KnowsARecordInTheMiddleOfAFrame) {
  const auto body = at({kSubSp64, kStpOff48, kAddFpSp48, kBl, kNop}, 4);
  ASSERT_TRUE(body);
  EXPECT_TRUE(body->fp_is_record);
  EXPECT_EQ(body->depth, 64);
  EXPECT_EQ(body->record_depth, 16);
}

TEST(Arm64FunctionState, KnowsALinkRegisterSavedAlone) {
  const auto body = at({kStrLrPre16, kBl, kNop}, 2);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->where, Where::saved);
  EXPECT_FALSE(body->fp_saved);
  EXPECT_EQ(body->record_depth, 16);
}

TEST(Arm64FunctionState, ACallWithoutSavingLosesTheReturnAddress) {
  EXPECT_EQ(at({kNop, kBl, kNop}, 2)->where, Where::lost);
  EXPECT_EQ(at({kMovX9Lr, kBl, kNop}, 2)->where, Where::live) << "ftrace's entry gives x30 back";
}

TEST(Arm64FunctionState, FollowsBranchesNotTheOrderOfAddresses) {
  // The early way out lies behind the epilogue, and behind a call that does not return.
  const std::vector<std::uint32_t> code{kCbzX0Plus16, kStpPre32, kMovFpSp, kBl, kNop, kRet};
  EXPECT_EQ(at(code, 4)->where, Where::live);
  EXPECT_EQ(at(code, 3)->where, Where::saved);
}

TEST(Arm64FunctionState, SaysNothingOfWhatNoPathReaches) {
  EXPECT_FALSE(at({kBrX1, kNop, kNop}, 2));
  EXPECT_FALSE(at({kNop, kNop}, 2)) << "outside the function";
}

}  // namespace
}  // namespace xstack
