// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest/dump/open.h"
#include "tests/unit/guest/dump_core_builder.h"
#include "tests/unit/guest/scratch_directory.h"

namespace xstack {
namespace {

using test::DumpCoreBuilder;
using test::ScratchDirectory;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<std::unique_ptr<Guest>> open_bytes(std::span<const std::byte> bytes) {
  const ScratchDirectory directory;
  return open_dump(directory.write("core", bytes));
}

std::uint64_t word_at(Guest& guest, std::uint64_t address) {
  const auto word = guest.memory().read_value<std::uint64_t>(GuestPhys(address));
  return word ? *word : 0;
}

TEST(DumpCore, ArmGuestOnArm64) {
  DumpCoreBuilder builder;
  builder.contexts = {std::vector<std::byte>(352), std::vector<std::byte>(352)};
  builder.contexts[0][0] = std::byte{1};
  builder.contexts[1][300] = std::byte{9};
  builder.frames = {0x40000, 0x40001, 0x40007};
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  const auto& identity = (*guest)->identity();
  EXPECT_EQ(identity.source, "dump-core");
  EXPECT_EQ(identity.type, GuestType::arm);
  EXPECT_EQ(identity.xen_version, "4.17.5");
  EXPECT_EQ(identity.capabilities, "xen-3.0-aarch64 xen-3.0-armv7l");
  EXPECT_FALSE(identity.name.has_value());
  EXPECT_THAT((*guest)->warnings(), IsEmpty());
  const auto vcpus = (*guest)->vcpus();
  ASSERT_TRUE(vcpus);
  ASSERT_EQ(vcpus->size(), 2U);
  EXPECT_EQ((*vcpus)[0].presence, VcpuPresence::online);
  EXPECT_EQ((*vcpus)[1].presence, VcpuPresence::offline);
  EXPECT_EQ((*vcpus)[1].id, 1U);
  EXPECT_EQ((*vcpus)[1].context[300], std::byte{9});
  EXPECT_EQ(word_at(**guest, 0x40000000), 0x0101010101010101U);
  EXPECT_EQ(word_at(**guest, 0x40000ffc), 0x0202020201010101U);
  EXPECT_EQ(word_at(**guest, 0x40007ff8), 0x0303030303030303U);
  const auto absent = (*guest)->memory().read_value<std::uint32_t>(GuestPhys(0x40001ffe));
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().address, 0x40002000U);
  const auto ram = (*guest)->ram();
  ASSERT_EQ(ram.size(), 2U);
  EXPECT_EQ(ram[0].first, GuestPhys(0x40000000));
  EXPECT_EQ(ram[0].count, 2U);
  EXPECT_EQ(ram[1].first, GuestPhys(0x40007000));
}

TEST(DumpCore, PvMemoryIsAddressedByMachineFrames) {
  DumpCoreBuilder builder;
  builder.machine = EM_X86_64;
  builder.magic = 0xf00febed;
  builder.p2m = true;
  builder.context_size = 5168;
  builder.contexts = {std::vector<std::byte>(5168), std::vector<std::byte>(5168)};
  builder.contexts[0][512] = std::byte{0x20};
  builder.contexts[0][4984] = std::byte{1};  // cr0: a 64-bit context
  builder.frames = {0x111203, 0x111200, 0x111202};
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ((*guest)->identity().type, GuestType::pv);
  EXPECT_EQ(word_at(**guest, 0x111203000), 0x0101010101010101U);
  EXPECT_EQ(word_at(**guest, 0x111202ffc), 0x0101010103030303U) << "neighbours in memory, not in the file";
  EXPECT_FALSE((*guest)->memory().read_value<std::uint32_t>(GuestPhys(0)));
  const auto vcpus = (*guest)->vcpus();
  EXPECT_EQ((*vcpus)[0].presence, VcpuPresence::online);
  EXPECT_EQ((*vcpus)[0].context.size(), 5168U);
  EXPECT_EQ((*vcpus)[1].context.size(), 2800U) << "nothing behind a 32-bit context: a 32-bit guest";
}

TEST(DumpCore, FileOfAnArmToolstackHasRegistersOnlyAndSaysSo) {
  DumpCoreBuilder builder;
  builder.frames.assign(16, ~0ULL);
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_THAT((*guest)->warnings(), ElementsAre(HasSubstr("xl dump-core of ARM guests writes every page as absent")));
  EXPECT_EQ((*guest)->vcpus()->size(), 1U);
  EXPECT_THAT((*guest)->ram(), IsEmpty());
}

TEST(DumpCore, LyingTablesDoNoHarm) {
  DumpCoreBuilder builder;
  builder.frames = {0x40000, 0x40000, ~0ULL - 1, 0x3ffff, 1ULL << 52};
  builder.claimed_table_entries = 1ULL << 58;
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ(word_at(**guest, 0x40000000), 0x0101010101010101U);
  EXPECT_EQ(word_at(**guest, 0x3ffff000), 0x0404040404040404U);
  EXPECT_EQ((*guest)->ram().size(), 1U);
  EXPECT_THAT((*guest)->warnings(), testing::Contains(HasSubstr("given more than once")));
  EXPECT_THAT((*guest)->warnings(), testing::Contains(HasSubstr("beyond any machine")));
}

TEST(DumpCore, EveryTruncationIsSurvived) {
  DumpCoreBuilder builder;
  builder.contexts = {std::vector<std::byte>(352), std::vector<std::byte>(352)};
  builder.frames = {0x40000, 0x40001, 0x40002};
  const auto whole = builder.build();
  const ScratchDirectory directory;
  bool registers_without_memory = false;
  for (std::size_t size = whole.size() - 1; size > 0; size -= std::min<std::size_t>(size, 61)) {
    const auto guest = open_dump(directory.write("core", std::span(whole).first(size)));
    if (!guest) {
      EXPECT_THAT(guest.error().code, testing::AnyOf(Errc::truncated, Errc::bad_format));
      continue;
    }
    const auto vcpus = (*guest)->vcpus();
    for (const auto& range : (*guest)->ram()) {
      std::vector<std::byte> bytes(range.count * kXenPageSize);
      EXPECT_TRUE((*guest)->memory().read(range.first, bytes));
    }
    if (!vcpus->empty() && (*guest)->ram().empty()) {
      registers_without_memory = true;
      EXPECT_FALSE((*guest)->warnings().empty());
    }
  }
  EXPECT_TRUE(registers_without_memory);
}

TEST(DumpCore, TableCutInTheMiddleGivesThePagesItStillNames) {
  DumpCoreBuilder builder;
  builder.frames = {0x40000, 0x40001, 0x40002};
  const auto whole = builder.build();
  // What follows the table is the names: 1 + 10 + 10 + 14 + 11 + 9 bytes.
  const auto guest = open_bytes(std::span(whole).first(whole.size() - 55 - 8));
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ(word_at(**guest, 0x40001000), 0x0202020202020202U);
  EXPECT_FALSE((*guest)->memory().read_value<std::uint32_t>(GuestPhys(0x40002000)));
  EXPECT_THAT((*guest)->warnings(), ElementsAre(HasSubstr("part of the memory is missing")));
}

TEST(DumpCore, ContextsOfUnknownSizeAreRefused) {
  DumpCoreBuilder builder;
  builder.context_size = 360;
  builder.contexts = {std::vector<std::byte>(360)};
  const auto guest = open_bytes(builder.build());
  ASSERT_FALSE(guest);
  EXPECT_EQ(guest.error().code, Errc::bad_format);
  EXPECT_THAT(guest.error().message, HasSubstr("360 bytes"));
}

TEST(DumpCore, PagesOfAnotherSizeAreRefused) {
  DumpCoreBuilder builder;
  builder.page_size = 16384;
  const auto guest = open_bytes(builder.build());
  ASSERT_FALSE(guest);
  EXPECT_EQ(guest.error().code, Errc::bad_format);
}

TEST(DumpCore, MissingVcpusAreSpokenOf) {
  DumpCoreBuilder builder;
  builder.claimed_vcpus = 3;
  builder.frames = {0x40000};
  const auto guest = open_bytes(builder.build());
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_THAT((*guest)->warnings(), ElementsAre(HasSubstr("speaks of 4 vCPUs and holds 1")));
}

TEST(DumpCore, PauseDoesNothing) {
  const auto guest = open_bytes(DumpCoreBuilder{.frames = {0x40000}}.build());
  ASSERT_TRUE(guest);
  auto pause = (*guest)->pause();
  ASSERT_TRUE(pause);
  EXPECT_FALSE((*pause)->release().has_value());
  EXPECT_FALSE((*guest)->pages_mapped().has_value());
}

}  // namespace
}  // namespace xstack
