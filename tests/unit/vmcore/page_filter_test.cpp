// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/page_filter.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

constexpr std::uint64_t kMap = 0x20000;

/// Sixteen pages from page 0 on, each a kind of its own.
class Kinds {
 public:
  Kinds() {
    memory.put<std::uint64_t>(GuestVirt(0x10000), kMap);
    memory.put<std::uint64_t>(GuestVirt(0x10008), 0);
    memory.put<std::uint64_t>(GuestVirt(0x10010), 16);
    for (std::uint64_t page = 0; page < 16; ++page) {
      set(page, 0, 0, -1, 1);
    }
  }
  void set(std::uint64_t page, std::uint64_t flags, std::uint64_t mapping, std::int32_t mapcount,
           std::int32_t refcount) {
    const GuestVirt at(kMap + page * 64);
    memory.put<std::uint64_t>(at, flags);
    memory.put<std::uint64_t>(at + 24, mapping);
    memory.put<std::int32_t>(at + 48, mapcount);
    memory.put<std::int32_t>(at + 52, refcount);
  }
  PageDescriptors find() {
    const auto info = Vmcoreinfo::parse(
        "OSRELEASE=6.1.0\nPAGESIZE=4096\nSIZE(page)=64\nOFFSET(page.flags)=0\nOFFSET(page._refcount)=52\n"
        "OFFSET(page.mapping)=24\nOFFSET(page._mapcount)=48\nOFFSET(page.private)=40\nOFFSET(page.compound_head)=8\n"
        "LENGTH(zone.free_area)=11\nNUMBER(PG_lru)=4\nNUMBER(PG_private)=13\nNUMBER(PG_swapcache)=10\nNUMBER(PG_"
        "swapbacked)=19\n"
        "NUMBER(PG_slab)=9\nNUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\nSYMBOL(contig_page_data)=10000\n"
        "OFFSET(pglist_data.node_mem_map)=0\nOFFSET(pglist_data.node_start_pfn)=8\n"
        "OFFSET(pglist_data.node_spanned_pages)=16\n");
    auto found = PageDescriptors::find(*info, memory, 8);
    EXPECT_TRUE(found);
    return *found;
  }
  test::FakeVirt memory;
};

std::set<std::uint64_t> frames_in(const std::vector<FrameRange>& ranges) {
  std::set<std::uint64_t> out;
  for (const FrameRange& range : ranges) {
    for (std::uint64_t i = 0; i < range.count; ++i) {
      out.insert(range.first.value / kXenPageSize + i);
    }
  }
  return out;
}

constexpr std::uint64_t kDirect = 0xffff888000000000;

/// All of memory in the direct map, and some of it elsewhere.
KernelMap map_with(std::initializer_list<std::uint64_t> elsewhere) {
  KernelMap map;
  map.runs.push_back({GuestVirt(kDirect), GuestPhys(0), 18 * kXenPageSize});
  std::uint64_t at = 0xffffc90000000000;
  for (const std::uint64_t frame : elsewhere) {
    map.runs.push_back({GuestVirt(at), GuestPhys(frame * kXenPageSize), kXenPageSize});
    at += 2 * kXenPageSize;
  }
  return map;
}

void make_each_kind(Kinds& kinds) {
  kinds.set(0, 1 << 12, 0, -1, 1);                   // reserved
  kinds.set(1, 1 << 9, 0, -1, 1);                    // slab
  kinds.set(2, 1 << 4, 0xffff888000001001, 0, 1);    // a process's
  kinds.set(3, 1 << 4, 0xffff888000001000, -1, 1);   // a file's
  kinds.set(4, 0, 0, -129, 0);                       // free
  kinds.set(5, 0, 0, 0, 1);                          // shared
  kinds.set(6, 0, 0, ~0x200, 1);                     // page tables: one of the kernel's own
  kinds.set(7, 0, 0, ~0x200, 1);                     // and one of a process
  kinds.set(8, 0, 0, -1, 1);                         // vmalloc
  kinds.set(9, 0, 0, -1, 1);                         // a pipe's buffer
  kinds.set(10, 0, 0, -1, 0);                        // the second page of a stack
  kinds.set(11, 0, 0, -1, 0);                        // free, on a CPU's list, and still mapped
  kinds.set(12, 1 << 4, 0xffff888000001001, -1, 1);  // a process's, which the kernel maps for a while
}

TEST(PageFilter, KernelOnlyLeavesOutWhatIsKnownToBeNoneOfIts) {
  Kinds kinds;
  make_each_kind(kinds);
  auto descriptors = kinds.find();
  const KernelMap map = map_with({});
  NumberedFrames memory{{{GuestPhys(0), 18}}, {{GuestPhys(0), 18}}};
  const std::set<std::uint64_t> own;
  const auto counts = filter_pages(descriptors, {KeepPages::kernel_only, &map, &own, std::nullopt}, memory);
  EXPECT_EQ(frames_in(memory.numbered), (std::set<std::uint64_t>{0, 1, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17}));
  EXPECT_EQ(frames_in(memory.frames), frames_in(memory.numbered));
  EXPECT_EQ(counts.all[static_cast<std::size_t>(PageKind::unknown)], 2U) << "behind the last descriptor";
  EXPECT_EQ(counts.kept[static_cast<std::size_t>(PageKind::user)], 0U);
}

TEST(PageFilter, RedactedKeepsWhatIsKnownToBeTheKernelsAlone) {
  Kinds kinds;
  make_each_kind(kinds);
  auto descriptors = kinds.find();
  const KernelMap map = map_with({8, 11, 12});
  NumberedFrames memory{{{GuestPhys(0), 18}}, {{GuestPhys(0), 18}}};
  const std::set<std::uint64_t> own{2, 6, 10};  // a table that says it is a process's page is not believed
  const auto counts = filter_pages(descriptors, {KeepPages::redacted, &map, &own, std::nullopt}, memory);
  EXPECT_EQ(frames_in(memory.numbered), (std::set<std::uint64_t>{0, 1, 6, 8, 10}));
  EXPECT_NE(describe_left_out(counts).find("of unknown kind"), std::string::npos);
}

TEST(PageFilter, PvFramesAreJudgedByTheKernelsNumbersAndTakenByXens) {
  Kinds kinds;
  make_each_kind(kinds);
  auto descriptors = kinds.find();
  const KernelMap map = map_with({});
  NumberedFrames memory{{{GuestPhys(0), 4}}, {{GuestPhys(90 * kXenPageSize), 2}, {GuestPhys(70 * kXenPageSize), 2}}};
  const std::set<std::uint64_t> own;
  (void)filter_pages(descriptors, {KeepPages::redacted, &map, &own, 1}, memory);
  EXPECT_EQ(frames_in(memory.numbered), (std::set<std::uint64_t>{0})) << "page 1 has no number of the kernel's";
  EXPECT_EQ(frames_in(memory.frames), (std::set<std::uint64_t>{90}));
}

TEST(PageFilter, DescriptorsThatDoNotKnowTheKernelsCodeAreNotBelieved) {
  Kinds kinds;
  make_each_kind(kinds);
  auto descriptors = kinds.find();
  const KernelMap map = map_with({});
  EXPECT_TRUE(check_descriptors(descriptors, map, GuestVirt(kDirect), kXenPageSize));
  EXPECT_FALSE(check_descriptors(descriptors, map, GuestVirt(kDirect), 2 * kXenPageSize)) << "slab is no code";
  EXPECT_FALSE(check_descriptors(descriptors, map, GuestVirt(0xffffffff81000000), kXenPageSize)) << "not mapped";
}

}  // namespace
}  // namespace xstack
