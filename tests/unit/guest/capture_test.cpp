// SPDX-License-Identifier: LGPL-2.1-or-later
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "guest/dump/capture_writer.h"
#include "guest/dump/open.h"
#include "tests/support/fake_memory.h"
#include "tests/unit/guest/scratch_directory.h"

namespace xstack {
namespace {

using testing::HasSubstr;

GuestIdentity identity() {
  GuestIdentity out;
  out.source = "live";
  out.name = "dom\xff\"U";
  out.domid = 7;
  out.type = GuestType::arm;
  out.state = DomainState{RunState::crashed, 3U, true};
  out.xen_version = "4.17.5";
  return out;
}

std::vector<VcpuContext> vcpus() {
  std::vector<VcpuContext> out(4);
  out[0].context.assign(352, std::byte{0xa5});
  out[0].hvm_record.assign(13, std::byte{3});
  out[1].id = 1;
  out[1].presence = VcpuPresence::offline;
  out[1].context.assign(352, std::byte{1});
  out[2].id = 2;
  out[2].presence = VcpuPresence::never_up;
  out[3].id = 9;
  out[3].presence = VcpuPresence::unavailable;
  out[3].why = "busy";
  return out;
}

class Capture : public testing::Test {
 protected:
  Capture() {
    memory_.put<std::uint32_t>(GuestPhys(0x40000000), 11);
    memory_.put<std::uint32_t>(GuestPhys(0x40001000), 12);
    memory_.put<std::uint32_t>(GuestPhys(0x48000ffc), 13);
    for (const auto at : {0x48000000ULL, 0x40001000ULL, 0x40000000ULL}) {
      EXPECT_TRUE(cache_.read_value<std::uint32_t>(GuestPhys(at)));
    }
  }
  Result<void> write(const std::string& name) {
    return write_capture_file(directory_.file(name), identity(), vcpus(), cache_,
                              {{"release", "6.1"}, {"empty", ""}, {"", std::string("a\0b", 3)}});
  }
  Result<std::unique_ptr<Guest>> open_changed(std::size_t offset, std::byte value) {
    auto bytes = test::read_file(directory_.file("c"));
    bytes.at(offset) = value;
    return open_dump(directory_.write("changed", bytes));
  }

  test::ScratchDirectory directory_;
  test::FakePhys memory_;
  PageCache cache_{memory_};
};

void expect_same(Guest& guest) {
  const auto& who = guest.identity();
  EXPECT_EQ(who.source, "capture");
  EXPECT_EQ(who.type, GuestType::arm);
  EXPECT_EQ(who.name, "dom\xef\xbf\xbd\"U") << "JSON holds no broken UTF-8";
  EXPECT_EQ(who.domid, 7U);
  EXPECT_FALSE(who.uuid.has_value());
  EXPECT_EQ(who.xen_version, "4.17.5");
  ASSERT_TRUE(who.state.has_value());
  EXPECT_EQ(who.state->run, RunState::crashed);
  EXPECT_EQ(who.state->shutdown_code, 3U);
  EXPECT_TRUE(who.state->paused_by_toolstack);
  const auto got = guest.vcpus();
  const auto want = vcpus();
  ASSERT_EQ(got->size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ((*got)[i].id, want[i].id);
    EXPECT_EQ((*got)[i].presence, want[i].presence);
    EXPECT_EQ((*got)[i].context, want[i].context);
    EXPECT_EQ((*got)[i].hvm_record, want[i].hvm_record);
    EXPECT_EQ((*got)[i].why, want[i].why);
  }
  EXPECT_EQ(guest.memory().read_value<std::uint32_t>(GuestPhys(0x40000000)), 11U);
  EXPECT_EQ(guest.memory().read_value<std::uint32_t>(GuestPhys(0x40001000)), 12U);
  EXPECT_EQ(guest.memory().read_value<std::uint32_t>(GuestPhys(0x48000ffc)), 13U);
  EXPECT_FALSE(guest.memory().read_value<std::uint32_t>(GuestPhys(0x40002000)));
  EXPECT_FALSE(guest.memory().read_value<std::uint32_t>(GuestPhys(0)));
  ASSERT_EQ(guest.ram().size(), 2U);
  EXPECT_EQ(guest.facts().size(), 3U);
  EXPECT_EQ(guest.facts().at("release"), "6.1");
  EXPECT_EQ(guest.facts().at("").size(), 3U);
  EXPECT_TRUE(guest.warnings().empty());
}

TEST_F(Capture, ComesBackAsItWas) {
  ASSERT_TRUE(write("c"));
  const auto guest = open_dump(directory_.file("c"));
  ASSERT_TRUE(guest) << guest.error().message;
  expect_same(**guest);
}

TEST_F(Capture, ComesBackCompressed) {
  ASSERT_TRUE(write("c.zst"));
  const auto bytes = test::read_file(directory_.file("c.zst"));
  EXPECT_LT(bytes.size(), 4096U);
  const auto guest = open_dump(directory_.file("c.zst"));
  ASSERT_TRUE(guest) << guest.error().message;
  expect_same(**guest);
}

TEST_F(Capture, IsPrivateAndLeavesNothingBeside) {
  ASSERT_TRUE(write("c"));
  struct stat status {};
  ASSERT_EQ(::stat(directory_.file("c").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1);
}

TEST_F(Capture, ReplacesASymbolicLinkAndNotItsTarget) {
  directory_.write("precious", std::as_bytes(std::span("keep")));
  std::filesystem::create_symlink(directory_.file("precious"), directory_.file("c"));
  ASSERT_TRUE(write("c"));
  EXPECT_FALSE(std::filesystem::is_symlink(directory_.file("c")));
  EXPECT_EQ(test::read_file(directory_.file("precious")).size(), 5U);
}

TEST_F(Capture, RefusesWhatIsNoFile) {
  const auto done = write_capture_file("/dev/null", identity(), vcpus(), cache_, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::usage);
  EXPECT_EQ(write_capture_file("/nowhere/at/all", identity(), vcpus(), cache_, {}).error().code, Errc::io);
}

TEST_F(Capture, CutShortAnywhereIsSurvived) {
  ASSERT_TRUE(write("c"));
  const auto whole = test::read_file(directory_.file("c"));
  for (std::size_t size = whole.size() - 1; size > 0; size -= std::min<std::size_t>(size, 113)) {
    const auto guest = open_dump(directory_.write("cut", std::span(whole).first(size)));
    if (guest) {
      EXPECT_THAT((*guest)->warnings(), testing::Contains(HasSubstr("cut short")));
      for (const auto& range : (*guest)->ram()) {
        std::vector<std::byte> bytes(range.count * kXenPageSize);
        EXPECT_TRUE((*guest)->memory().read(range.first, bytes));
      }
    }
  }
}

TEST_F(Capture, LaterFormatIsRefusedByName) {
  ASSERT_TRUE(write("c"));
  // ELF header, three program headers (notes, two runs), note header, "XSTACK" padded to 8: then the major version.
  const std::size_t major = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr) + sizeof(Elf64_Nhdr) + 8;
  const auto guest = open_changed(major, std::byte{2});
  ASSERT_FALSE(guest);
  EXPECT_EQ(guest.error().code, Errc::unsupported);
  EXPECT_THAT(guest.error().message, HasSubstr("format 2.0"));
}

TEST_F(Capture, MisplacedMemoryIsLeftOut) {
  ASSERT_TRUE(write("c"));
  const std::size_t paddr = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, p_paddr);
  const auto guest = open_changed(paddr, std::byte{1});
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_THAT((*guest)->warnings(), testing::ElementsAre(HasSubstr("misplaced")));
  EXPECT_FALSE((*guest)->memory().read_value<std::uint32_t>(GuestPhys(0x40000000)));
  EXPECT_EQ((*guest)->memory().read_value<std::uint32_t>(GuestPhys(0x48000ffc)), 13U);
}

}  // namespace
}  // namespace xstack
