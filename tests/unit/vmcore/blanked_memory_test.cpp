// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/blanked_memory.h"

#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

TEST(BlankedMemory, ZerosWhereItIsSaidAndNothingElse) {
  test::FakePhys below;
  std::vector<std::byte> ones(2 * kXenPageSize, std::byte{1});
  below.put_bytes(GuestPhys(0x1000), ones);
  // Out of order, one inside another, two that touch, and one across a page's end.
  BlankedMemory memory(below, {{GuestPhys(0x1ff8), 16},
                               {GuestPhys(0x1010), 64},
                               {GuestPhys(0x1020), 8},
                               {GuestPhys(0x1050), 4},
                               {GuestPhys(0x9000), 8}});
  std::vector<std::byte> out(2 * kXenPageSize);
  ASSERT_TRUE(memory.read(GuestPhys(0x1000), out));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool blank = (i >= 0x10 && i < 0x54) || (i >= 0xff8 && i < 0x1008);
    ASSERT_EQ(std::to_integer<int>(out[i]), blank ? 0 : 1) << i;
  }
  // A read that begins and ends inside one.
  std::vector<std::byte> part(4);
  ASSERT_TRUE(memory.read(GuestPhys(0x1030), part));
  EXPECT_EQ(part, std::vector<std::byte>(4));
  EXPECT_FALSE(memory.read(GuestPhys(0x9000), part)) << "a blank is no memory";
}

}  // namespace
}  // namespace xstack
