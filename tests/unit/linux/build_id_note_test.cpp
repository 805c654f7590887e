// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/build_id_note.h"

#include <gtest/gtest.h>

#include <string_view>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

constexpr GuestVirt kNotes(0xffffffff82345f80);  // runs over the end of a page

class BuildIdNote : public testing::Test {
 protected:
  void number(std::uint32_t value) {
    memory_.put(end_, value);
    end_ += 4;
  }
  void note(std::string_view name, std::uint32_t type, std::size_t size) {
    number(static_cast<std::uint32_t>(name.size() + 1));
    number(static_cast<std::uint32_t>(size));
    number(type);
    memory_.put_bytes(end_, std::as_bytes(std::span(name)));
    end_ += (name.size() + 4) / 4 * 4;
    for (std::size_t i = 0; i < size; ++i) {
      memory_.put(end_ + i, static_cast<std::uint8_t>(0xa0 + i));
    }
    end_ += (size + 3) / 4 * 4;
  }
  std::optional<std::string> read() { return read_build_id_note(memory_, kNotes, end_); }

  test::FakeVirt memory_;
  GuestVirt end_ = kNotes;
};

constexpr const char* kEight = "a0a1a2a3a4a5a6a7";
constexpr const char* kTwenty = "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3";

TEST_F(BuildIdNote, AmongTheKernelsOtherNotes) {
  note("Xen", 6, 10);  // as a PV-capable kernel has them, one with a length that is padded
  note("Linux", 0x101, 4);
  note("GNU", 1, 16);  // the ABI tag
  note("GNU", 3, 20);
  note("GNU", 3, 8);
  EXPECT_EQ(read(), kTwenty);
}

TEST_F(BuildIdNote, ANameOfAnotherKindIsPassedOver) {
  note("gnu", 3, 20);
  note("GNUX", 3, 20);
  note("GN", 3, 20);
  note(std::string_view("GNU\0x", 5), 3, 20);
  EXPECT_FALSE(read());
  note("GNU", 3, 8);
  EXPECT_EQ(read(), kEight);
}

TEST_F(BuildIdNote, SizesThatNoBuildIdHas) {
  note("GNU", 3, 4);
  note("GNU", 3, 36);
  note("GNU", 3, 0);
  EXPECT_FALSE(read());
  note("GNU", 3, 32);
  EXPECT_EQ(read()->size(), 64U);
}

TEST_F(BuildIdNote, ANoteThatIsCutOff) {
  note("GNU", 3, 20);
  EXPECT_TRUE(read());
  end_ = end_ - 1;
  EXPECT_FALSE(read());
  end_ = kNotes + 11;
  EXPECT_FALSE(read());
}

TEST_F(BuildIdNote, LyingLengths) {
  for (const std::uint32_t lie : {0xffffffffU, 0xfffffff4U, 0x7fffffffU, 0x1000U, 257U}) {
    for (const std::uint64_t field : {0U, 4U}) {
      end_ = kNotes;
      note("Xen", 6, 4);
      note("GNU", 3, 20);
      ASSERT_TRUE(read());
      memory_.put(kNotes + field, lie);
      EXPECT_FALSE(read()) << lie << " in " << field;
    }
  }
}

TEST_F(BuildIdNote, ANameSoLongThatItsPaddingWrapsRound) {
  for (const std::uint32_t field : {0xffffffffU, 4U, 6U, 0U}) {
    number(field);
  }
  note("GNU", 3, 20);  // where the note after it would begin if the name were empty
  EXPECT_FALSE(read());
}

TEST_F(BuildIdNote, NotesOfNothingEnd) {
  for (unsigned i = 0; i < 512; ++i) {
    number(0);
  }
  EXPECT_FALSE(read());
}

TEST_F(BuildIdNote, MoreThanAPageIsNotLookedAt) {
  while (end_ - kNotes < 4096) {
    note("Xen", 6, 16);
  }
  note("GNU", 3, 20);
  EXPECT_FALSE(read());
}

TEST_F(BuildIdNote, AnEndBeforeTheBeginning) {
  note("GNU", 3, 20);
  memory_.touch(kNotes + kXenPageSize);
  EXPECT_FALSE(read_build_id_note(memory_, kNotes, kNotes));
  EXPECT_FALSE(read_build_id_note(memory_, kNotes, kNotes - 1));
  EXPECT_FALSE(read_build_id_note(memory_, kNotes, GuestVirt(0)));
  EXPECT_EQ(read_build_id_note(memory_, kNotes, GuestVirt(kNotes.value + 36)), kTwenty);
}

TEST_F(BuildIdNote, UnreadableNotesAreNone) {
  note("GNU", 3, 20);
  EXPECT_FALSE(read_build_id_note(memory_, kNotes, GuestVirt(~std::uint64_t{0})));
  EXPECT_FALSE(read_build_id_note(memory_, GuestVirt(0x1000), GuestVirt(0x2000)));
}

}  // namespace
}  // namespace xstack
