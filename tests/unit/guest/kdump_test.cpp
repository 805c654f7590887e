// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest/dump/kdump_header.h"
#include "guest/dump/open.h"
#include "guest/dump/page_codec.h"
#include "tests/unit/guest/kdump_builder.h"
#include "tests/unit/guest/open_bytes.h"
#include "tests/unit/guest/scratch_directory.h"

namespace xstack {
namespace {

using test::byte_at;
using test::KdumpBuilder;
using test::open_bytes;
using test::ScratchDirectory;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

KdumpBuilder three_pages() {
  KdumpBuilder builder;
  builder.pages = {{0x40000, 1}, {0x40001, 2}, {0x48002, 3}};
  return builder;
}

TEST(Kdump, PagesAreWhereTheBitmapSays) {
  for (const std::uint32_t codec : {1U, 0x20U}) {
    auto builder = three_pages();
    builder.codec = codec;
    builder.notes.vmcoreinfo = "OSRELEASE=6.1\n";
    const auto guest = open_bytes(builder.build());
    ASSERT_TRUE(guest) << guest.error().message;
    EXPECT_EQ((*guest)->identity().source, "kdump");
    EXPECT_EQ((*guest)->identity().type, GuestType::arm);
    EXPECT_EQ((*guest)->vcpus()->size(), 2U);
    EXPECT_EQ((*guest)->vmcoreinfo(), "OSRELEASE=6.1\n");
    EXPECT_FALSE((*guest)->cut_short());
    EXPECT_EQ(byte_at(**guest, 0x40000000), 1U);
    EXPECT_EQ(byte_at(**guest, 0x40001fff), 2U);
    EXPECT_EQ(byte_at(**guest, 0x48002001), 3U);
    EXPECT_EQ(byte_at(**guest, 0x40002000), 0xfffU);
    const auto ram = (*guest)->ram();
    ASSERT_EQ(ram.size(), 2U);
    EXPECT_EQ(ram[0].first, GuestPhys(0x40000000));
    EXPECT_EQ(ram[0].count, 2U);
    EXPECT_EQ(ram[1].first, GuestPhys(0x48002000));
  }
}

TEST(Kdump, LargerPagesAnd32BitLayouts) {
  auto builder = three_pages();
  builder.block = 16384;
  builder.notes.status_size = prstatus::kArm32;
  for (const auto layout : {KdumpBuilder::Layout::wide, KdumpBuilder::Layout::arm32, KdumpBuilder::Layout::packed32}) {
    builder.layout = layout;
    const auto bytes = builder.build();
    const auto header = read_kdump_header(bytes);
    ASSERT_TRUE(header) << header.error().message;
    EXPECT_EQ(header->wide, layout == KdumpBuilder::Layout::wide);
    EXPECT_EQ(header->max_frames, builder.max_frames);
    const auto guest = open_bytes(bytes);
    ASSERT_TRUE(guest) << guest.error().message;
    EXPECT_EQ((*guest)->vcpus()->size(), 2U);
    EXPECT_EQ(byte_at(**guest, 0x40001ULL * 16384 + 16383), 2U);
    EXPECT_EQ((*guest)->ram()[0].count, 8U);  // in Xen's pages
  }
}

TEST(Kdump, SaysWhatWasLeftOut) {
  auto builder = three_pages();
  builder.left_out = 10;
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_THAT((*guest)->identity().lacks, testing::Contains(HasSubstr("10 of 13 pages, left out")));
  EXPECT_EQ(byte_at(**guest, 0x1000), 0xfffU);
}

TEST(Kdump, OneOfSeveralFiles) {
  auto builder = three_pages();
  builder.split_begin = 0x40001;
  builder.split_end = 0x50000;
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ(byte_at(**guest, 0x40000000), 0xfffU);
  EXPECT_EQ(byte_at(**guest, 0x40001000), 2U);
  EXPECT_EQ(byte_at(**guest, 0x48002000), 3U);
  EXPECT_THAT((*guest)->identity().lacks, testing::Contains(HasSubstr("one of several files")));
}

TEST(Kdump, FlattenedIsPutTogether) {
  const auto whole = three_pages().build();
  const auto flat = test::flattened(whole, 5000);
  const auto guest = open_bytes(flat);
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ(byte_at(**guest, 0x48002000), 3U);
  EXPECT_FALSE((*guest)->cut_short());
  // Without its last piece, which is the first of the file, there are no headers; without the end mark all is there.
  EXPECT_FALSE(open_bytes(std::span(flat).first(flat.size() - 6000)));
  const auto cut = open_bytes(std::span(flat).first(flat.size() - 16));
  ASSERT_TRUE(cut);
  EXPECT_THAT((*cut)->cut_short(), Optional(HasSubstr("end mark")));
  // An offset that no file has.
  test::ByteWriter far;
  far.bytes(std::span(flat).first(4096)).put(__builtin_bswap64(1ULL << 60)).put(__builtin_bswap64(8)).fill(8);
  EXPECT_EQ(open_bytes(far.all()).error().code, Errc::too_large);
}

TEST(Kdump, CutShortAnywhereSaysSo) {
  const auto whole = three_pages().build();
  const ScratchDirectory directory;
  for (std::size_t size = 9; size < whole.size(); size += 97) {
    const auto guest = open_dump(directory.write("cut", std::span(whole).first(size)));
    if (!guest) {
      EXPECT_EQ(guest.error().code, Errc::truncated) << size << guest.error().message;
      continue;
    }
    EXPECT_THAT((*guest)->cut_short(), Optional(HasSubstr("the file ends"))) << size;
  }
}

TEST(Kdump, DamagedPagesAndHeadersAreNotRead) {
  auto bytes = three_pages().build();
  const auto guest = open_bytes(bytes);
  ASSERT_TRUE(guest);
  auto damaged = bytes;
  damaged[damaged.size() - 4] ^= std::byte{0x55};  // in the last page, which is packed
  const auto other = open_bytes(damaged);
  ASSERT_TRUE(other);
  EXPECT_EQ(byte_at(**other, 0x48002000), 0xfffU);
  EXPECT_EQ(byte_at(**other, 0x40000000), 1U);
  damaged = bytes;
  damaged[424 + 4] = std::byte{7};  // the size of a block
  EXPECT_EQ(open_bytes(damaged).error().code, Errc::bad_format);
}

TEST(PageCodec, WritesNoMoreThanAPage) {
  // A snappy stream that claims to be of another length, and an lzo one that never ends.
  std::vector<std::byte> out(64);
  const std::vector<std::byte> snappy = {std::byte{0xff}, std::byte{0xff}, std::byte{0x7f}, std::byte{0x00}};
  EXPECT_FALSE(unpack_page(PageCodec::snappy, snappy, out));
  EXPECT_FALSE(unpack_page(PageCodec::lzo, std::vector<std::byte>(300, std::byte{0}), out));
  EXPECT_FALSE(unpack_page(PageCodec::none, snappy, out));
  EXPECT_FALSE(page_codec(3));
}

}  // namespace
}  // namespace xstack
