// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest/dump/open.h"
#include "guest/dump/piece_memory.h"
#include "tests/unit/guest/machine_dump_builder.h"
#include "tests/unit/guest/open_bytes.h"
#include "tests/unit/guest/scratch_directory.h"

namespace xstack {
namespace {

using test::byte_at;
using test::filled;
using test::open_bytes;
using test::ScratchDirectory;
using test::VmcoreBuilder;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Vmcore, MemoryIsAtItsPhysicalAddress) {
  VmcoreBuilder builder;
  builder.pieces = {{0x40000000, filled(0x2000, 1)}, {0x40002000, filled(0x1000, 2)}, {0x48000800, filled(0x1800, 3)}};
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ((*guest)->identity().source, "vmcore");
  EXPECT_EQ((*guest)->identity().type, GuestType::arm);
  EXPECT_FALSE((*guest)->identity().type_told);
  EXPECT_THAT((*guest)->warnings(), IsEmpty());
  EXPECT_FALSE((*guest)->cut_short());
  EXPECT_EQ(byte_at(**guest, 0x40001fff), 1U);
  EXPECT_EQ(byte_at(**guest, 0x40002000), 2U);
  EXPECT_EQ(byte_at(**guest, 0x40003000), 0xfffU);
  EXPECT_EQ(byte_at(**guest, 0x480007ff), 0xfffU);
  EXPECT_EQ(byte_at(**guest, 0x48000800), 3U);
  // Frames are listed when all of them is there.
  const auto ram = (*guest)->ram();
  ASSERT_EQ(ram.size(), 2U);
  EXPECT_EQ(ram[0].first, GuestPhys(0x40000000));
  EXPECT_EQ(ram[0].count, 3U);
  EXPECT_EQ(ram[1].first, GuestPhys(0x48001000));
  EXPECT_EQ(ram[1].count, 1U);
}

TEST(Vmcore, NotesGiveRegistersAndVmcoreinfo) {
  VmcoreBuilder builder;
  builder.machine = EM_X86_64;
  builder.notes = {.status_size = prstatus::kX86_64, .qemu = true, .vmcoreinfo = "OSRELEASE=6.1\n"};
  builder.pieces = {{0x1000, filled(0x1000, 1)}};
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_THAT((*guest)->identity().format, testing::Optional(HasSubstr("QEMU")));
  EXPECT_THAT((*guest)->identity().lacks, IsEmpty());
  EXPECT_EQ((*guest)->vmcoreinfo(), "OSRELEASE=6.1\n");
  const auto vcpus = (*guest)->vcpus();
  ASSERT_TRUE(vcpus);
  ASSERT_EQ(vcpus->size(), 2U);
  EXPECT_EQ((*vcpus)[1].id, 1U);
  EXPECT_EQ((*vcpus)[1].form, ContextForm::prstatus);
  EXPECT_EQ((*vcpus)[1].context.size(), prstatus::kX86_64);
  EXPECT_EQ((*vcpus)[1].hvm_record.size(), 440U);
  EXPECT_EQ((*vcpus)[1].hvm_record[392 + 3 * 8 + 1], std::byte{0x60});
}

TEST(Vmcore, SaysWhatItLacks) {
  VmcoreBuilder builder;
  builder.pieces = {{0x40000000, filled(0x1000, 1), 0x3000}};
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_THAT((*guest)->identity().lacks,
              ElementsAre(HasSubstr("roots of page tables"), HasSubstr("12 KiB of memory, left out")));
  EXPECT_EQ(byte_at(**guest, 0x40001000), 0xfffU);  // absent, not zero
  EXPECT_FALSE((*guest)->cut_short());
}

TEST(Vmcore, NumberOfSegmentsInASectionHeader) {
  VmcoreBuilder builder;
  builder.extended = true;
  builder.pieces = {{0x40000000, filled(0x1000, 1)}, {0x50000000, filled(0x1000, 2)}};
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ(byte_at(**guest, 0x50000000), 2U);
  EXPECT_FALSE((*guest)->cut_short());
}

TEST(Vmcore, CutShortAnywhereSaysSo) {
  VmcoreBuilder builder;
  builder.pieces = {{0x40000000, filled(0x1000, 1)}, {0x50000000, filled(0x1000, 2)}};
  const auto whole = builder.build();
  const ScratchDirectory directory;
  for (std::size_t size = 1; size < whole.size(); size += 61) {
    const auto guest = open_dump(directory.write("cut", std::span(whole).first(size)));
    if (!guest) {
      EXPECT_EQ(guest.error().code, size < SELFMAG ? Errc::bad_format : Errc::truncated) << size;
      continue;
    }
    EXPECT_THAT((*guest)->cut_short(), testing::Optional(HasSubstr("the file ends"))) << size;
    if (size > whole.size() - 0x1000) {
      EXPECT_EQ(byte_at(**guest, 0x40000fff), 1U);
    }
  }
}

TEST(Vmcore, OtherCoresAreRefused) {
  VmcoreBuilder builder;
  builder.machine = EM_PPC64;
  builder.pieces = {{0, filled(0x1000, 1)}};
  EXPECT_EQ(open_bytes(builder.build()).error().code, Errc::unsupported);
  builder.machine = EM_AARCH64;
  builder.pieces = {{~std::uint64_t{0} - 0x100, filled(0x1000, 1)}};  // wraps round the end of memory
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest);
  EXPECT_THAT((*guest)->warnings(), Contains(HasSubstr("wrap round")));
}

TEST(PieceMap, WhatWasAddedFirstCounts) {
  PieceMap map;
  EXPECT_TRUE(map.add(0x2000, 0x1000, 100000));
  EXPECT_TRUE(map.add(0x1000, 0x3000, 200000));  // lies around it
  EXPECT_TRUE(map.add(0x3800, 0x1000, 300000));  // overlaps at the end
  EXPECT_TRUE(map.add(0x1000, 0x100, 400000));   // is all there already
  EXPECT_FALSE(map.add(~std::uint64_t{0} - 1, 3, 0));
  map.finish();
  const auto offset = [&](std::uint64_t at) { return map.find(at) ? map.find(at)->offset : 0; };
  EXPECT_EQ(offset(0x1000), 200000U);
  EXPECT_EQ(map.find(0x1000)->left, 0x1000U);
  EXPECT_EQ(offset(0x2004), 100004U);
  EXPECT_EQ(offset(0x3000), 200000U + 0x2000U);
  EXPECT_EQ(offset(0x3fff), 200000U + 0x2fffU);
  EXPECT_EQ(offset(0x4000), 300000U + 0x800U);
  EXPECT_EQ(map.find(0x4800), std::nullopt);
  ASSERT_EQ(map.frames().size(), 1U);
  EXPECT_EQ(map.frames()[0].count, 3U);
}

TEST(Raw, SeveralFilesAreOneMemory) {
  const ScratchDirectory directory;
  const std::vector<RawFile> files = {{directory.write("a", filled(0x1000, 1)), 0x40000000},
                                      {directory.write("b", filled(0x2000, 2)), 0x40000800}};
  const auto guest = open_raw(files);
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ((*guest)->identity().source, "raw memory");
  EXPECT_THAT((*guest)->identity().lacks, ElementsAre(HasSubstr("registers")));
  EXPECT_EQ(byte_at(**guest, 0x40000fff), 1U);
  EXPECT_EQ(byte_at(**guest, 0x40001000), 2U);
  EXPECT_EQ(byte_at(**guest, 0x400027ff), 2U);
  EXPECT_EQ(byte_at(**guest, 0x40002800), 0xfffU);
  EXPECT_TRUE((*guest)->vcpus()->empty());
  EXPECT_EQ(open_raw(std::vector<RawFile>{{files[0].path, ~std::uint64_t{0} - 10}}).error().code, Errc::bad_format);
}

}  // namespace
}  // namespace xstack
