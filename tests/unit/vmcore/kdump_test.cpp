// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>

#include "base/endian.h"
#include "tests/support/fake_memory.h"
#include "tests/unit/guest/scratch_directory.h"
#include "vmcore/kdump_write.h"

namespace xstack {
namespace {

using Bytes = std::vector<std::byte>;
constexpr const char* kInfo = "OSRELEASE=6.1.0\nPAGESIZE=4096\n";

FrameRange frames(std::uint64_t first, std::uint64_t count) {
  return {GuestPhys(first * kXenPageSize), count};
}

KdumpPlan plan_of(ArchId arch, const KdumpContents& kdump, const std::vector<FrameRange>& present,
                  const std::vector<FrameRange>& kept) {
  const GuestIdentity identity;
  const std::map<std::string, std::string> facts;
  CpuState cpu;
  cpu.arch = &arch_ops(arch);
  cpu.regs.set(cpu.arch->pc, 0x1234);
  const std::vector<VcpuContext> vcpus(1);
  const CpuState* cpus[] = {&cpu};
  const auto plan = plan_kdump(
      {.arch = arch, .identity = identity, .vcpus = vcpus, .cpus = cpus, .vmcoreinfo = kInfo, .facts = facts}, kdump,
      present, kept);
  EXPECT_TRUE(plan);
  return *plan;
}

KdumpContents contents(std::uint64_t page_size = 4096) {
  KdumpContents kdump;
  kdump.page_size = page_size;
  kdump.uts = make_utsname(ArchId::arm64, "6.1.0");
  kdump.phys_base = 0x40000000;
  kdump.dump_level = 30;
  kdump.time = 1700000000;
  return kdump;
}

// Offsets are those of makedumpfile's diskdump_mod.h, as a compiler for each architecture lays them out.
TEST(Kdump, HeadersOf64BitGuests) {
  const auto plan = plan_of(ArchId::arm64, contents(), {frames(0x40000, 16)}, {frames(0x40002, 3)});
  const Bytes& head = plan.head;
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(head.data()), 8), "KDUMP   ");
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 8), 6U);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(head.data() + 12)), "Linux");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(head.data() + 12 + 4 * 65)), "aarch64");
  EXPECT_EQ(load_le_at<std::uint64_t>(head, 408), 1700000000U);
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 424), 1U) << "zlib";
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 428), 4096U);
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 432), 1U) << "blocks of the sub header";
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 436), 2 * plan.bitmap_bytes / 4096);
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 440), 0x40010U) << "one more than the highest page";
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 460), 1U) << "CPUs";
  EXPECT_EQ(load_le_at<std::uint64_t>(head, 4096), 0x40000000U);
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 4096 + 8), 30U);
  const auto info_at = load_le_at<std::uint64_t>(head, 4096 + 32);
  const auto info = load_le_at<std::uint64_t>(head, 4096 + 40);
  ASSERT_TRUE(info_at && info && *info_at + *info <= head.size());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(head.data()) + *info_at, *info), kInfo);
  const auto notes_at = load_le_at<std::uint64_t>(head, 4096 + 48);
  ASSERT_TRUE(notes_at);
  EXPECT_EQ(load_le_at<std::uint32_t>(head, *notes_at + 8), 1U) << "NT_PRSTATUS";
  EXPECT_EQ(load_le_at<std::uint64_t>(head, 4096 + 96), 0x40010U) << "max_mapnr_64";
  EXPECT_EQ(plan.bitmaps_at, 2U * 4096);
  EXPECT_EQ(plan.page_count, 3U);
}

TEST(Kdump, HeadersOf32BitGuests) {
  const auto plan = plan_of(ArchId::arm32, contents(), {frames(0x40000, 16)}, {frames(0x40000, 16)});
  const Bytes& head = plan.head;
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 404), 1700000000U);
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 412), 1U);
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 416), 4096U);
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 428), 0x40010U);
  EXPECT_EQ(load_le_at<std::uint32_t>(head, 4096), 0x40000000U);
  const auto info_at = load_le_at<std::uint64_t>(head, 4096 + 24);
  ASSERT_TRUE(info_at && *info_at + 10 < head.size());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(head.data()) + *info_at, 10), "OSRELEASE=");
  EXPECT_EQ(load_le_at<std::uint64_t>(head, 4096 + 88), 0x40010U);
}

TEST(Kdump, PagesOfTheKernelAreCountedOnce) {
  const auto plan = plan_of(ArchId::arm64, contents(16384), {frames(4, 8)}, {frames(5, 1), frames(7, 2)});
  ASSERT_EQ(plan.pages.size(), 1U);
  EXPECT_EQ(plan.pages[0].first, 1U);
  EXPECT_EQ(plan.page_count, 2U);
}

TEST(Kdump, BitsOfPages) {
  const std::vector<PageRun> runs{{3, 2}, {15, 3}};
  const Bytes expected{std::byte{0x18}, std::byte{0x80}, std::byte{0x03}};
  EXPECT_EQ(bitmap_piece(runs, 0, 3), expected);
  EXPECT_EQ(bitmap_piece(runs, 1, 1), Bytes{std::byte{0x80}});
  EXPECT_EQ(bitmap_piece(runs, 3, 1), Bytes{std::byte{0}});
}

class Written : public testing::TestWithParam<PageCompression> {};

TEST_P(Written, EveryPageIsWhereItsDescriptorSays) {
  const test::ScratchDirectory scratch;
  test::FakePhys memory;
  memory.touch(GuestPhys(0x10000));
  for (std::uint64_t i = 0; i < 512; ++i) {
    memory.put<std::uint64_t>(GuestPhys(0x11000 + i * 8), i);
    memory.put<std::uint64_t>(GuestPhys(0x13000 + i * 8), (i + 1) * 0x9e3779b97f4a7c15);  // gets no smaller
  }
  KdumpContents kdump = contents();
  kdump.compression = GetParam();
  const auto plan = plan_of(ArchId::arm64, kdump, {frames(0x10, 4)}, {frames(0x10, 2), frames(0x13, 1)});
  const std::string path = scratch.file("kdump");
  auto out = OutputFile::create(path, std::nullopt);
  ASSERT_TRUE(out);
  const auto written = write_kdump(memory, plan, *out, {});
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->zero_pages, 1U);
  ASSERT_TRUE(out->commit());
  const auto file = test::read_file(path);
  EXPECT_EQ(std::to_integer<int>(file[plan.bitmaps_at + 2]), 0x0f) << "which pages there are";
  EXPECT_EQ(std::to_integer<int>(file[plan.bitmaps_at + plan.bitmap_bytes + 2]), 0x0b) << "which are in the file";
  const std::uint64_t sources[] = {0x10000, 0x11000, 0x13000};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto at = load_le_at<std::uint64_t>(file, plan.descriptors_at + i * 24);
    const auto size = load_le_at<std::uint32_t>(file, plan.descriptors_at + i * 24 + 8);
    const auto flags = load_le_at<std::uint32_t>(file, plan.descriptors_at + i * 24 + 12);
    ASSERT_TRUE(at && size && flags && *at + *size <= file.size());
    Bytes page(4096);
    const std::byte* packed = file.data() + *at;
    if (*flags == 1) {
      uLongf length = page.size();
      ASSERT_EQ(
          uncompress(reinterpret_cast<Bytef*>(page.data()), &length, reinterpret_cast<const Bytef*>(packed), *size),
          Z_OK);
    } else if (*flags == 0x20) {
      ASSERT_EQ(ZSTD_decompress(page.data(), page.size(), packed, *size), page.size());
    } else {
      ASSERT_EQ(*size, 4096U);
      page.assign(packed, packed + *size);
    }
    EXPECT_EQ(*flags != 0, i == 1 && GetParam() != PageCompression::none);
    Bytes source(4096);
    ASSERT_TRUE(memory.read(GuestPhys(sources[i]), source));
    EXPECT_EQ(page, source) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, Written,
                         testing::Values(PageCompression::none, PageCompression::zlib, PageCompression::zstd));

TEST(Kdump, NameOfTheGuestIsItsOwnOrNone) {
  test::FakeVirt memory;
  const Utsname good = make_utsname(ArchId::x86_64, "6.1.0-50-amd64");
  EXPECT_FALSE(read_utsname(memory, GuestVirt(0x1000)));
  memory.put_bytes(GuestVirt(0x1000), good);
  EXPECT_FALSE(read_utsname(memory, GuestVirt(0x1000))) << "node name and version are empty";
  memory.put<std::uint8_t>(GuestVirt(0x1000 + 65), 'n');
  memory.put<std::uint8_t>(GuestVirt(0x1000 + 3 * 65), '#');
  EXPECT_TRUE(read_utsname(memory, GuestVirt(0x1000)));
  memory.put<std::uint8_t>(GuestVirt(0x1000 + 65), 7);
  EXPECT_FALSE(read_utsname(memory, GuestVirt(0x1000)));
}

}  // namespace
}  // namespace xstack
