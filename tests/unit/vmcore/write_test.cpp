// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/write.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/fake_memory.h"
#include "tests/unit/guest/scratch_directory.h"

namespace xstack {
namespace {

std::string read_all(const std::string& path) {
  const auto bytes = test::read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(WriteMemory, PagesInOrderWithHolesForZeros) {
  const test::ScratchDirectory scratch;
  test::FakePhys memory;
  memory.put<std::uint32_t>(GuestPhys(0x5000), 0x11111111);
  memory.touch(GuestPhys(0x6000));
  memory.put<std::uint32_t>(GuestPhys(0x7ffc), 0x22222222);
  memory.touch(GuestPhys(0x8000));
  const std::vector<FrameRange> ram{{GuestPhys(0x4000), 8}};
  const auto present = present_frames(memory, ram);
  ASSERT_EQ(present.size(), 1U);
  EXPECT_EQ(present[0].first.value, 0x5000U);
  EXPECT_EQ(present[0].count, 4U);
  const std::string path = scratch.file("memory");
  auto out = OutputFile::create(path, std::nullopt);
  ASSERT_TRUE(out);
  const auto written = write_memory(memory, present, *out, {});
  ASSERT_TRUE(written);
  EXPECT_EQ(written->zero_pages, 2U);
  EXPECT_EQ(written->lost_pages, 0U);
  ASSERT_TRUE(out->commit());
  const std::string bytes = read_all(path);
  ASSERT_EQ(bytes.size(), 4 * kXenPageSize) << "the hole at the end counts";
  EXPECT_EQ(bytes[0], 0x11);
  EXPECT_EQ(bytes[3 * kXenPageSize - 1], 0x22);
  EXPECT_EQ(bytes.find_first_not_of('\0', 4), 3 * kXenPageSize - 4);
}

TEST(WriteMemory, PagesThatWentAwayAreZerosAndCounted) {
  const test::ScratchDirectory scratch;
  test::FakePhys memory;
  memory.put<std::uint32_t>(GuestPhys(0x1000), 1);
  memory.put<std::uint32_t>(GuestPhys(0x3000), 3);
  const std::string path = scratch.file("memory");
  auto out = OutputFile::create(path, std::nullopt);
  ASSERT_TRUE(out);
  const std::vector<FrameRange> frames{{GuestPhys(0x1000), 3}};
  const auto written = write_memory(memory, frames, *out, {});
  ASSERT_TRUE(written);
  EXPECT_EQ(written->lost_pages, 1U);
  ASSERT_TRUE(out->commit());
  const std::string bytes = read_all(path);
  ASSERT_EQ(bytes.size(), 3 * kXenPageSize);
  EXPECT_EQ(bytes[2 * kXenPageSize], 3);
}

TEST(WriteMemory, StopsWhenItIsToldAndLeavesNoFile) {
  const test::ScratchDirectory scratch;
  test::FakePhys memory;
  memory.put<std::uint32_t>(GuestPhys(0x1000), 1);
  const std::string path = scratch.file("memory");
  {
    auto out = OutputFile::create(path, std::nullopt);
    ASSERT_TRUE(out);
    const std::vector<FrameRange> frames{{GuestPhys(0x1000), 1}};
    const auto written = write_memory(memory, frames, *out, [](std::uint64_t, std::uint64_t) { return false; });
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::interrupted);
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

}  // namespace
}  // namespace xstack
