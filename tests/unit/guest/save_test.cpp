// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest/dump/open.h"
#include "tests/unit/guest/open_bytes.h"
#include "tests/unit/guest/save_builder.h"
#include "tests/unit/guest/scratch_directory.h"

namespace xstack {
namespace {

using test::byte_at;
using test::open_bytes;
using test::SaveBuilder;
using test::ScratchDirectory;
using testing::HasSubstr;
using testing::Optional;

constexpr std::uint64_t kPageTable = std::uint64_t{4} << 60;  // L4TAB, with contents
constexpr std::uint64_t kBallooned = std::uint64_t{0xf} << 60;

TEST(Save, PvGuestByItsOwnFrameNumbers) {
  SaveBuilder builder;
  builder.batches = {{{0, 1}, {1 | kPageTable, 2}, {2 | kBallooned, 0}, {7, 3}}, {{8, 4}, {0, 5}}};
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ((*guest)->identity().source, "xl save");
  EXPECT_EQ((*guest)->identity().type, GuestType::pv);
  EXPECT_TRUE((*guest)->identity().type_told);
  EXPECT_EQ((*guest)->identity().xen_version, "4.17");
  EXPECT_FALSE((*guest)->cut_short());
  EXPECT_EQ(byte_at(**guest, 0), 5U);  // as it was sent last
  EXPECT_EQ(byte_at(**guest, 0x1fff), 2U);
  EXPECT_EQ(byte_at(**guest, 0x2000), 0xfffU);
  EXPECT_EQ(byte_at(**guest, 0x7000), 3U);
  EXPECT_EQ(byte_at(**guest, 0x8fff), 4U);
  const auto vcpus = (*guest)->vcpus();
  ASSERT_TRUE(vcpus);
  ASSERT_EQ(vcpus->size(), 2U);
  EXPECT_EQ((*vcpus)[0].id, 0U);
  EXPECT_EQ((*vcpus)[0].form, ContextForm::xen);
  EXPECT_EQ((*vcpus)[0].context.size(), 5168U);
  EXPECT_EQ((*vcpus)[1].context[1], std::byte{0x11});
}

TEST(Save, HvmGuestHasItsRecords) {
  SaveBuilder builder;
  builder.pv = false;
  builder.version = 2;
  builder.xl = false;  // libxc's stream alone
  builder.batches = {{{0x100, 1}}};
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ((*guest)->identity().type, GuestType::hvm);
  EXPECT_THAT((*guest)->identity().format, Optional(HasSubstr("version 2")));
  const auto vcpus = (*guest)->vcpus();
  ASSERT_TRUE(vcpus);
  ASSERT_EQ(vcpus->size(), 2U);
  EXPECT_EQ((*vcpus)[1].form, ContextForm::hvm_record);
  EXPECT_EQ((*vcpus)[1].context.size(), 1024U);
  EXPECT_EQ((*vcpus)[1].context[1], std::byte{0x11});
  EXPECT_EQ(byte_at(**guest, 0x100000), 1U);
}

TEST(Save, CutShortAnywhereSaysSo) {
  SaveBuilder builder;
  builder.batches = {{{0, 1}, {1, 2}}, {{2, 3}}};
  const auto whole = builder.build();
  const ScratchDirectory directory;
  unsigned opened = 0;
  for (std::size_t size = 40; size < whole.size(); size += 89) {
    const auto guest = open_dump(directory.write("cut", std::span(whole).first(size)));
    if (!guest) {
      EXPECT_EQ(guest.error().code, Errc::truncated) << size << guest.error().message;
      continue;
    }
    ++opened;
    EXPECT_THAT((*guest)->cut_short(), Optional(HasSubstr("ends before the end of the guest"))) << size;
    EXPECT_EQ(byte_at(**guest, 0), 1U);
  }
  EXPECT_GT(opened, 100U);
}

TEST(Save, OtherStreamsAreRefused) {
  SaveBuilder builder;
  builder.batches = {{{0, 1}}};
  auto bytes = builder.build();
  bytes[36] = std::byte{1};  // no second version of the stream: what Xen 4.5 wrote
  EXPECT_EQ(open_bytes(bytes).error().code, Errc::unsupported);
  builder.version = 4;
  EXPECT_EQ(open_bytes(builder.build()).error().code, Errc::unsupported);
}

}  // namespace
}  // namespace xstack
