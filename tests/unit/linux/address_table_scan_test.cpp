// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/address_table_scan.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

constexpr std::uint64_t kBase = 0xc0000000;

using Page = std::array<std::byte, kXenPageSize>;

/// A page of 32-bit elements.
Page page_of(const std::function<std::uint32_t(std::uint32_t)>& element) {
  Page page{};
  for (std::uint32_t i = 0; i < kXenPageSize / 4; ++i) {
    const std::uint32_t value = element(i);
    std::memcpy(page.data() + std::size_t{4} * i, &value, sizeof value);
  }
  return page;
}

TEST(LooksLikeAddresses, EveryFormOfTheTable) {
  const auto ascending = [](std::uint32_t i) { return 0x8000 + i * 48; };
  EXPECT_TRUE(looks_like_addresses(page_of(ascending), 8)) << "offsets from a base";
  EXPECT_TRUE(looks_like_addresses(page_of([](std::uint32_t i) { return 0xc0300000 + i * 48; }), 4)) << "words";
  EXPECT_TRUE(looks_like_addresses(page_of([](std::uint32_t i) { return ~(i * 48); }), 8)) << "negative offsets";
  EXPECT_TRUE(looks_like_addresses(page_of([](std::uint32_t i) { return 0xff000000 + i * 48 - i * 4; }), 8))
      << "self-relative";
  // Small functions: an element's own place moves faster than what it says.
  const Page small = page_of([](std::uint32_t i) { return 0xff000000 - i + (i % 8 == 0 ? 7 : 0); });
  EXPECT_FALSE(looks_like_addresses(small, 4));
  EXPECT_TRUE(looks_like_addresses(page_of([](std::uint32_t i) {
                                     const std::uint64_t address = 0xffffffff81000000 + (i / 2) * 40;
                                     return static_cast<std::uint32_t>(i % 2 == 0 ? address : address >> 32);
                                   }),
                                   8))
      << "64-bit words";
}

TEST(LooksLikeAddresses, SectionsMayEndInIt) {
  EXPECT_TRUE(looks_like_addresses(page_of([](std::uint32_t i) { return i * 48 + (i > 500 ? 0x2000000U : 0U); }), 4));
}

TEST(LooksLikeAddresses, WhatElseAnImageHolds) {
  EXPECT_FALSE(looks_like_addresses(Page{}, 8)) << "zeros";
  EXPECT_FALSE(looks_like_addresses(page_of([](std::uint32_t i) { return i * 0x9e3779b1; }), 4)) << "code, text";
  EXPECT_FALSE(looks_like_addresses(page_of([](std::uint32_t i) { return i % 2 == 0 ? 0x7f000000 + i * 8 : 1; }), 4))
      << "an EHABI index";
  EXPECT_FALSE(looks_like_addresses(page_of([](std::uint32_t i) { return i; }), 4)) << "numbers, not addresses";
  EXPECT_FALSE(looks_like_addresses({}, 8));
}

/// Virtual is physical.
class Identity final : public Translation {
 public:
  explicit Identity(std::uint64_t end) : end_(end) {}
  [[nodiscard]] tl::expected<Mapping, Fault> walk(PhysMemory&, GuestVirt va) const override {
    if (va.value < kBase || va.value >= end_) {
      return tl::unexpected(Fault{FaultKind::unmapped, va.value});
    }
    return Mapping{GuestPhys(va.value), kXenPageSize - va.value % kXenPageSize, kXenPageSize, 0};
  }
  [[nodiscard]] std::string describe() const override { return "identity"; }

 private:
  std::uint64_t end_;
};

struct Image {
  test::FakePhys phys;
  test::FakeVirt virt;
  std::vector<std::shared_ptr<const Translation>> translations{std::make_shared<Identity>(kBase + (8U << 20))};

  void put(std::uint64_t offset, const Page& page) { virt.put_bytes(GuestVirt(kBase + offset), page); }
  std::optional<AddressTableHint> find(std::uint64_t from = 0) {
    PageProbe probe(phys, {}, translations);
    return find_address_table(probe, virt, {GuestVirt(kBase + from), GuestVirt(0xffffffff), 128U << 20, 32U << 20}, 4);
  }
};

TEST(FindAddressTable, ReadsOnePageInSixteenAndFindsTheRun) {
  Image image;
  const Page table = page_of([](std::uint32_t i) { return 0xc0300000 + i * 48; });
  constexpr std::uint64_t kBegin = (3U << 20) + 0x5000;
  for (std::uint64_t at = kBegin; at < kBegin + 0x2d000; at += kXenPageSize) {
    image.put(at, table);
  }
  const auto hint = image.find();
  ASSERT_TRUE(hint);
  EXPECT_EQ(hint->first.value, kBase + (3U << 20) + kSampleStride);
  EXPECT_EQ(hint->last.value, kBase + (3U << 20) + 3 * kSampleStride);
  EXPECT_LE(image.virt.reads, 128U);
  EXPECT_FALSE(image.find((3U << 20) + 4 * kSampleStride)) << "the run is behind";
}

TEST(FindAddressTable, NothingThere) {
  Image image;
  EXPECT_FALSE(image.find());
}

}  // namespace
}  // namespace xstack
