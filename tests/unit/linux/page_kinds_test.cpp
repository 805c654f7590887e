// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/page_kinds.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

/// What a 64-bit kernel of 6.1 says; FLATMEM, so that a test need not build sections.
constexpr const char* kCommon =
    "OSRELEASE=6.1.0\nPAGESIZE=4096\nSIZE(page)=64\nOFFSET(page.flags)=0\nOFFSET(page._refcount)=52\n"
    "OFFSET(page.mapping)=24\nOFFSET(page._mapcount)=48\nOFFSET(page.private)=40\nOFFSET(page.compound_head)=8\n"
    "LENGTH(zone.free_area)=11\nNUMBER(PG_lru)=4\nNUMBER(PG_private)=13\nNUMBER(PG_swapcache)=10\nNUMBER(PG_swapbacked)"
    "=19\n";
constexpr const char* kSlabIsAFlag = "NUMBER(PG_slab)=9\nNUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\n";
constexpr const char* kSlabIsAType =
    "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376\nNUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456\n"
    "NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-201326592\n";
constexpr const char* kFlat =
    "SYMBOL(contig_page_data)=10000\nOFFSET(pglist_data.node_mem_map)=0\nOFFSET(pglist_data.node_start_pfn)=8\n"
    "OFFSET(pglist_data.node_spanned_pages)=16\n";

Vmcoreinfo info_of(const std::string& text) {
  const auto info = Vmcoreinfo::parse(text);
  EXPECT_TRUE(info);
  return *info;
}

struct Descriptor {
  std::uint64_t flags = 0;
  std::uint64_t mapping = 0;
  std::int32_t mapcount = -1;
  std::int32_t refcount = 1;
  std::uint64_t order = 0;
  std::uint64_t head = 0;
};

constexpr std::uint64_t kMap = 0x20000;
constexpr std::uint64_t kFirst = 0x400;  // the first page that has a descriptor

class Guest {
 public:
  explicit Guest(std::uint64_t pages) {
    memory.put<std::uint64_t>(GuestVirt(0x10000), kMap);
    memory.put<std::uint64_t>(GuestVirt(0x10008), kFirst);
    memory.put<std::uint64_t>(GuestVirt(0x10010), pages);
    for (std::uint64_t i = 0; i < pages; ++i) {
      set(kFirst + i, {});
    }
  }
  static std::uint64_t place(std::uint64_t page) { return kMap + (page - kFirst) * 64; }
  void set(std::uint64_t page, const Descriptor& d) {
    const GuestVirt at(place(page));
    memory.put<std::uint64_t>(at, d.flags);
    memory.put<std::uint64_t>(at + 8, d.head);
    memory.put<std::uint64_t>(at + 24, d.mapping);
    memory.put<std::uint64_t>(at + 40, d.order);
    memory.put<std::int32_t>(at + 48, d.mapcount);
    memory.put<std::int32_t>(at + 52, d.refcount);
  }
  std::vector<PageKind> kinds(const std::string& info, std::uint64_t first, std::uint64_t count) {
    auto descriptors = PageDescriptors::find(info_of(info), memory, 8);
    EXPECT_TRUE(descriptors) << descriptors.error().message;
    std::vector<PageKind> out;
    std::uint64_t next = first;
    descriptors->each(first, count, [&](std::uint64_t page, PageKind kind) {
      EXPECT_EQ(page, next++);
      out.push_back(kind);
    });
    return out;
  }
  test::FakeVirt memory;
};

const std::string kBefore610 = std::string(kCommon) + kSlabIsAFlag + kFlat;
const std::string kSince612 = std::string(kCommon) + kSlabIsAType + kFlat;

TEST(PageKinds, EachKindByWhatItsDescriptorSays) {
  Guest guest(16);
  guest.set(kFirst + 1, {.flags = 1 << 12});
  guest.set(kFirst + 2, {.flags = 1 << 9, .mapping = 0xffff000001234560});  // a slab keeps something else there
  guest.set(kFirst + 3, {.mapping = 0xffff000001234561});
  guest.set(kFirst + 4, {.mapping = 0xffff000001234560});
  guest.set(kFirst + 5, {.flags = 1 << 4});
  guest.set(kFirst + 6, {.mapcount = 0});
  guest.set(kFirst + 7, {.mapcount = ~0x200});
  guest.set(kFirst + 8, {.refcount = 0});
  guest.set(kFirst + 9, {.flags = 1 << 10 | 1 << 19});
  guest.set(kFirst + 12, {.flags = 1 << 10});  // a page table that Xen holds on to: PG_pinned is the same bit
  guest.set(kFirst + 10, {.mapping = 0xffff000001234562});                    // compressed swap
  guest.set(kFirst + 11, {.flags = 1 << 12, .mapping = 0xffff000001234560});  // a device's memory with files in it
  const auto kinds = guest.kinds(kBefore610, kFirst, 13);
  const std::vector<PageKind> expected{PageKind::kernel, PageKind::reserved, PageKind::slab,   PageKind::user,
                                       PageKind::cache,  PageKind::user,     PageKind::shared, PageKind::typed,
                                       PageKind::idle,   PageKind::user,     PageKind::user,   PageKind::cache,
                                       PageKind::kernel};
  EXPECT_EQ(kinds, expected);
}

TEST(PageKinds, TypesOfLaterKernels) {
  Guest guest(8);
  guest.set(kFirst, {.mapcount = static_cast<std::int32_t>(0xf5000003)});      // slab, with a count below
  guest.set(kFirst + 1, {.mapcount = static_cast<std::int32_t>(0xf4000000)});  // huge
  guest.set(kFirst + 2, {.flags = 1 << 9});                                    // means nothing any more
  guest.set(kFirst + 3, {.mapcount = static_cast<std::int32_t>(0xf2000000)});
  const std::vector<PageKind> expected{PageKind::slab, PageKind::user, PageKind::kernel, PageKind::typed};
  EXPECT_EQ(guest.kinds(kSince612, kFirst, 4), expected);
}

TEST(PageKinds, AFreeBlockIsFreeUpToItsEndWhereverOneBeginsToLook) {
  Guest guest(32);
  guest.set(kFirst + 8, {.mapcount = -129, .refcount = 0, .order = 3});
  for (std::uint64_t page = kFirst + 9; page < kFirst + 16; ++page) {
    guest.set(page, {.refcount = 0});
  }
  const auto kinds = guest.kinds(kBefore610, kFirst + 12, 6);
  const std::vector<PageKind> expected{PageKind::free, PageKind::free,   PageKind::free,
                                       PageKind::free, PageKind::kernel, PageKind::kernel};
  EXPECT_EQ(kinds, expected);
  guest.set(kFirst + 8, {.mapcount = -129, .refcount = 0, .order = 77});  // an order that cannot be
  EXPECT_EQ(guest.kinds(kBefore610, kFirst + 8, 2), (std::vector<PageKind>{PageKind::free, PageKind::idle}));
}

TEST(PageKinds, LaterPagesOfAnAllocationAreWhatItsHeadIs) {
  Guest guest(8);
  guest.set(kFirst, {.flags = 1 << 4, .mapping = 0xffff000001234561});
  guest.set(kFirst + 1, {.mapping = 0xdead000000000400, .refcount = 0, .head = Guest::place(kFirst) + 1});
  guest.set(kFirst + 2, {.head = Guest::place(kFirst + 1) + 1});  // a head that is none
  guest.set(kFirst + 3, {.head = Guest::place(kFirst) + 17});     // nothing that is a descriptor
  guest.set(kFirst + 4, {.head = Guest::place(kFirst + 6) + 1});  // a head that comes later
  const std::vector<PageKind> expected{PageKind::user, PageKind::user, PageKind::unknown, PageKind::unknown,
                                       PageKind::unknown};
  EXPECT_EQ(guest.kinds(kBefore610, kFirst, 5), expected);
}

TEST(PageKinds, WithoutADescriptorNothingIsKnown) {
  Guest guest(4);
  EXPECT_EQ(guest.kinds(kBefore610, kFirst - 1, 2), (std::vector<PageKind>{PageKind::unknown, PageKind::kernel}));
  EXPECT_EQ(guest.kinds(kBefore610, kFirst + 3, 2), (std::vector<PageKind>{PageKind::kernel, PageKind::unknown}));
}

TEST(PageKinds, SectionsInTwoStepsAndInOne) {
  const std::string sizes =
      "SIZE(mem_section)=32\nOFFSET(mem_section.section_mem_map)=0\nNUMBER(SECTION_SIZE_BITS)=27\n"
      "SYMBOL(mem_section)=50000\n";
  Guest guest(4);
  constexpr std::uint64_t kSection = 3;
  constexpr std::uint64_t kPage = kSection << 15;
  const std::uint64_t map = kMap - kPage * 64;  // as the kernel keeps it: counted from page 0
  guest.set(kFirst + 1, {.flags = 1 << 12});
  guest.memory.put<std::uint64_t>(GuestVirt(0x50000), 0x60000);
  guest.memory.put<std::uint64_t>(GuestVirt(0x60000 + kSection * 32), map | 0xb);
  const auto deep = guest.kinds(
      std::string(kCommon) + kSlabIsAFlag + sizes + "NUMBER(MAX_PHYSMEM_BITS)=46\nLENGTH(mem_section)=4096\n",
      kPage - 1, 3);
  EXPECT_EQ(deep, (std::vector<PageKind>{PageKind::unknown, PageKind::kernel, PageKind::reserved}));
  guest.memory.put<std::uint64_t>(GuestVirt(0x50000 + kSection * 32), map | 3);
  const auto flat = guest.kinds(
      std::string(kCommon) + kSlabIsAFlag + sizes + "NUMBER(MAX_PHYSMEM_BITS)=30\nLENGTH(mem_section)=8\n", kPage, 2);
  EXPECT_EQ(flat, (std::vector<PageKind>{PageKind::kernel, PageKind::reserved}));
  const auto odd = PageDescriptors::find(
      info_of(std::string(kCommon) + kSlabIsAFlag + sizes + "NUMBER(MAX_PHYSMEM_BITS)=46\nLENGTH(mem_section)=77\n"),
      guest.memory, 8);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, Errc::not_found);
}

TEST(PageKinds, WhatTheKernelDoesNotSayIsNamed) {
  test::FakeVirt memory;
  const auto found = PageDescriptors::find(info_of("OSRELEASE=4.4.0\nPAGESIZE=4096\nSIZE(page)=64\n"), memory, 8);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("OFFSET(page.flags)"), std::string::npos) << found.error().message;
  const auto beyond =
      PageDescriptors::find(info_of("OSRELEASE=6.1\nPAGESIZE=4096\nSIZE(page)=64\nOFFSET(page.flags)=60\n"), memory, 8);
  ASSERT_FALSE(beyond) << "a member that ends behind the descriptor";
}

}  // namespace
}  // namespace xstack
