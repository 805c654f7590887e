// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/btf.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/btf_builder.h"
#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

constexpr GuestVirt kAt(0xffffffff81000000);
constexpr std::array<std::string_view, 2> kWanted{"task", "other"};

struct Section {
  explicit Section(const test::BtfBuilder& builder) : bytes(builder.build()) { memory.put_bytes(kAt, bytes); }
  std::optional<Btf> open() { return Btf::open(memory, kAt, 8, kWanted); }
  std::vector<std::byte> bytes;
  test::FakeVirt memory;
};

TEST(Btf, FindsMembersAndSizes) {
  test::BtfBuilder b;
  const auto u32 = b.integer("u32", 4);
  const auto pointer = b.pointer(0);
  const auto name = b.array(u32, 4);
  b.structure("task", 64, {{"pid", u32, 64}, {"next", pointer, 128}, {"comm", name, 192}});
  Section section(b);
  const auto btf = section.open();
  ASSERT_TRUE(btf);
  EXPECT_EQ(btf->size_of("task"), 64U);
  EXPECT_EQ(btf->member("task", "pid")->offset, 8U);
  EXPECT_EQ(btf->member("task", "pid")->size, 4U);
  EXPECT_EQ(btf->member("task", "next")->size, 8U);
  EXPECT_EQ(btf->member("task", "comm")->offset, 24U);
  EXPECT_EQ(btf->member("task", "comm")->size, 16U);
  EXPECT_FALSE(btf->member("task", "pi"));
  EXPECT_FALSE(btf->member("task", "pid2"));
  EXPECT_FALSE(btf->member("other", "pid"));
  EXPECT_FALSE(btf->size_of("other"));
}

TEST(Btf, LooksIntoAnonymousAndNestedStructures) {
  test::BtfBuilder b;
  const auto u64 = b.integer("u64", 8);
  const auto context = b.structure("context", 16, {{"x19", u64, 0}, {"sp", u64, 64}});
  const auto thread = b.structure("thread", 24, {{"flags", u64, 0}, {"context", b.alias(10, b.alias(8, context)), 64}});
  const auto inner = b.structure("", 16, {{"deep", u64, 64}});
  const auto both = b.structure("", 16, {{"plain", u64, 0}, {"", inner, 0}}, 5);
  b.structure("task", 256, {{"", both, 512}, {"thread", thread, 1024}});
  Section section(b);
  const auto btf = section.open();
  ASSERT_TRUE(btf);
  EXPECT_EQ(btf->member("task", "plain")->offset, 64U);
  EXPECT_EQ(btf->member("task", "deep")->offset, 72U);
  EXPECT_EQ(btf->member("task", "thread.context.sp")->offset, 128U + 8 + 8);
  EXPECT_FALSE(btf->member("task", "thread.flags.more"));
}

TEST(Btf, BitFieldsHaveNoByteOffset) {
  test::BtfBuilder b;
  const auto u32 = b.integer("u32", 4);
  b.structure("task", 8, {{"bits", u32, (3U << 24) | 32}, {"whole", u32, 32}}, 4, true);
  Section section(b);
  const auto btf = section.open();
  ASSERT_TRUE(btf);
  EXPECT_FALSE(btf->member("task", "bits"));
  EXPECT_EQ(btf->member("task", "whole")->offset, 4U);
}

TEST(Btf, FindsWhatIsFarBehindManyTypesAndNames) {
  test::BtfBuilder b;
  std::uint32_t last = 0;
  for (int i = 0; i < 20000; ++i) {
    last = b.integer("name_" + std::to_string(i), 4);
  }
  b.structure("task", 8, {{"pid", last, 0}, {"tgid", 64, 32}});
  Section section(b);
  const auto btf = section.open();
  ASSERT_TRUE(btf);
  EXPECT_EQ(btf->member("task", "pid")->size, 4U);
  EXPECT_EQ(btf->member("task", "tgid")->offset, 4U);
}

TEST(Btf, AKindThatNobodyKnowsEndsTheSearchOnly) {
  test::BtfBuilder b;
  const auto u32 = b.integer("u32", 4);
  b.structure("task", 8, {{"pid", u32, 0}});
  b.unknown(77, 8);
  b.structure("other", 8, {{"pid", u32, 0}});
  Section section(b);
  const auto btf = section.open();
  ASSERT_TRUE(btf);
  EXPECT_TRUE(btf->member("task", "pid"));
  EXPECT_FALSE(btf->member("other", "pid"));
}

TEST(Btf, TypesThatPointToThemselvesEnd) {
  test::BtfBuilder b;
  const auto self = b.alias(8, 1);
  const auto array = b.array(2, 0xffffffff);
  const auto anonymous = b.structure("", 8, {{"", 3, 0}, {"", 3, 0}});
  b.structure("task", 8, {{"loop", self, 0}, {"array", array, 0}, {"", anonymous, 0}, {"nowhere", 99999, 0}});
  Section section(b);
  const auto btf = section.open();
  ASSERT_TRUE(btf);
  EXPECT_FALSE(btf->member("task", "loop.x"));
  EXPECT_FALSE(btf->member("task", "loop")->size);
  EXPECT_FALSE(btf->member("task", "array")->size);
  EXPECT_FALSE(btf->member("task", "nowhere")->size);
  EXPECT_FALSE(btf->member("task", "not there"));
}

TEST(Btf, RefusesWhatIsNoSection) {
  test::BtfBuilder b;
  b.structure("task", 8, {{"pid", b.integer("u32", 4), 0}});
  for (const std::size_t at : {std::size_t{0}, std::size_t{7}, std::size_t{15}, std::size_t{23}}) {
    Section section(b);
    section.memory.put<std::uint8_t>(kAt + at, 0xff);
    EXPECT_FALSE(section.open()) << at;
  }
  test::FakeVirt nothing;
  EXPECT_FALSE(Btf::open(nothing, kAt, 8, kWanted));
}

TEST(Btf, IsReadAsFarAsItIsAskedFor) {
  test::BtfBuilder b;
  const auto u32 = b.integer("u32", 4);
  b.structure("task", 8, {{"pid", u32, 0}, {"next", 40003, 32}});
  b.structure("other", 4, {{"pid", u32, 0}});
  for (int i = 0; i < 40000; ++i) {
    b.integer("name_" + std::to_string(i), 8);
  }
  Section section(b);
  const auto btf = section.open();
  ASSERT_TRUE(btf);
  EXPECT_EQ(btf->member("task", "pid")->size, 4U);
  EXPECT_EQ(btf->member("task", "next")->size, 8U) << "a type behind all that was looked at so far";
}

TEST(Btf, ASectionThatCannotBeReadToItsEndIsNone) {
  test::BtfBuilder b;
  b.structure("task", 8, {{"pid", b.integer("u32", 4), 0}});
  Section section(b);
  section.memory.put<std::uint32_t>(kAt + 20, 1U << 20);
  EXPECT_FALSE(section.open());
}

}  // namespace
}  // namespace xstack
