// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/page_cache.h"

#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

TEST(PageCache, ServesWhatItKeptAfterTheGuestChangedIt) {
  test::FakePhys memory;
  memory.put<std::uint32_t>(GuestPhys(0x1010), 1);
  PageCache cache(memory);
  EXPECT_EQ(cache.read_value<std::uint32_t>(GuestPhys(0x1010)), 1U);
  memory.put<std::uint32_t>(GuestPhys(0x1010), 2);
  memory.put<std::uint32_t>(GuestPhys(0x1800), 3);
  EXPECT_EQ(cache.read_value<std::uint32_t>(GuestPhys(0x1010)), 1U);
  EXPECT_EQ(cache.read_value<std::uint32_t>(GuestPhys(0x1800)), 0U) << "the page was kept as a whole";
  EXPECT_EQ(memory.reads, 1U);
}

TEST(PageCache, ReadsAcrossPagesAndListsThemAscending) {
  test::FakePhys memory;
  memory.put<std::uint64_t>(GuestPhys(0x5ffc), 0x1122334455667788);
  memory.touch(GuestPhys(0x2000));
  PageCache cache(memory);
  EXPECT_EQ(cache.read_value<std::uint64_t>(GuestPhys(0x5ffc)), 0x1122334455667788U);
  EXPECT_TRUE(cache.read_value<std::uint8_t>(GuestPhys(0x2fff)).has_value());
  const auto pages = cache.pages();
  ASSERT_EQ(pages.size(), 3U);
  EXPECT_EQ(pages[0].at, GuestPhys(0x2000));
  EXPECT_EQ(pages[1].at, GuestPhys(0x5000));
  EXPECT_EQ(pages[2].at, GuestPhys(0x6000));
  EXPECT_EQ(pages[1].bytes[0xffc], std::byte{0x88});
  EXPECT_EQ(pages[2].bytes[0], std::byte{0x44});
}

TEST(PageCache, AbsentStaysAbsentAtTheAddressAskedFor) {
  test::FakePhys memory;
  PageCache cache(memory);
  const auto first = cache.read_value<std::uint32_t>(GuestPhys(0x3008));
  ASSERT_FALSE(first.has_value());
  EXPECT_EQ(first.error().kind, FaultKind::absent);
  EXPECT_EQ(first.error().address, 0x3008U);
  memory.touch(GuestPhys(0x3000));
  EXPECT_FALSE(cache.read_value<std::uint32_t>(GuestPhys(0x3010)).has_value());
  EXPECT_EQ(memory.reads, 1U);
}

TEST(PageCache, ReadsOnWhenFullAndSaysSo) {
  test::FakePhys memory;
  memory.touch(GuestPhys(0x1000));
  memory.put<std::uint32_t>(GuestPhys(0x2000), 7);
  PageCache cache(memory, 1);
  EXPECT_TRUE(cache.read_value<std::uint32_t>(GuestPhys(0x1000)).has_value());
  EXPECT_EQ(cache.left_out(), 0U);
  EXPECT_EQ(cache.read_value<std::uint32_t>(GuestPhys(0x2000)), 7U);
  EXPECT_EQ(cache.left_out(), 1U);
  EXPECT_EQ(cache.size(), 1U);
}

/// Memory that writes down what it was asked to prefetch.
class Prefetched final : public PhysMemory {
 public:
  tl::expected<std::size_t, Fault> read_some(GuestPhys, std::span<std::byte> out) override { return out.size(); }
  void prefetch(std::span<const GuestPhys> pages) override { calls.emplace_back(pages.begin(), pages.end()); }
  std::vector<std::vector<GuestPhys>> calls;
};

TEST(PageCache, PrefetchPassesWhatIsMissingInOneCall) {
  Prefetched memory;
  PageCache cache(memory);
  EXPECT_TRUE(cache.read_value<std::uint32_t>(GuestPhys(0x2000)).has_value());
  const std::array pages = {GuestPhys(0x1000), GuestPhys(0x2800), GuestPhys(0x9000)};
  cache.prefetch(pages);
  ASSERT_EQ(memory.calls.size(), 1U);
  EXPECT_EQ(memory.calls[0], (std::vector{GuestPhys(0x1000), GuestPhys(0x9000)}));
  const std::array known = {GuestPhys(0x2000)};
  cache.prefetch(known);
  EXPECT_EQ(memory.calls.size(), 1U);
}

}  // namespace
}  // namespace xstack
