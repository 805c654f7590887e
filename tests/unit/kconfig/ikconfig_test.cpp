// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kconfig/ikconfig.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>
#include <span>
#include <string>

#include "kconfig/config_source.h"
#include "kconfig/kernel_config.h"
#include "tests/support/fake_guest.h"
#include "tests/unit/guest/scratch_directory.h"
#include "tools/session_config.h"

namespace xstack {
namespace {

const std::string kText =
    "# Automatically generated file; DO NOT EDIT.\n# Linux/arm 6.1.0 Kernel Configuration\nCONFIG_XEN=y\n";

std::string gzipped(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<unsigned>(text.size());
  stream.next_out = reinterpret_cast<unsigned char*>(out.data());
  stream.avail_out = static_cast<unsigned>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string ikconfig(const std::string& text, const std::string& padding = "") {
  return "IKCFG_ST" + padding + gzipped(text) + "IKCFG_ED";
}

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Ikconfig, IsFoundBetweenItsMarkers) {
  const std::string image = std::string(5000, 'x') + "IKCFG_ST of a script" + ikconfig(kText) + "rest";
  EXPECT_EQ(IkconfigFinder().find(as_bytes(image)), kText);
  EXPECT_EQ(IkconfigFinder().find(as_bytes("pad" + ikconfig(kText, std::string(3, '\0')))), kText);
}

TEST(Ikconfig, DamageAndBombsAreNotFound) {
  std::string image = ikconfig(kText);
  EXPECT_EQ(IkconfigFinder().find(as_bytes(image.substr(0, image.size() - 20))), std::nullopt) << "cut off";
  std::string damaged = image;
  damaged[damaged.size() - 12] ^= 0x55;
  EXPECT_EQ(IkconfigFinder().find(as_bytes(damaged)), std::nullopt) << "its checksum is wrong";
  const std::string bomb = kText + std::string(KernelConfig::kMaxText, '\n');
  EXPECT_EQ(IkconfigFinder().find(as_bytes(ikconfig(bomb))), std::nullopt);
  EXPECT_EQ(IkconfigFinder().find(as_bytes(ikconfig("no configuration"))), std::nullopt);
  EXPECT_EQ(IkconfigFinder().find(as_bytes(ikconfig("junk") + image)), kText) << "the search goes on";
}

TEST(Ikconfig, TriesAreCounted) {
  std::string image;
  for (unsigned i = 0; i < IkconfigFinder::kMaxTries; ++i) {
    image += ikconfig("junk");
  }
  EXPECT_EQ(IkconfigFinder().find(as_bytes(image + ikconfig(kText))), std::nullopt);
}

class ConfigFile : public testing::Test {
 protected:
  std::string write(const std::string& bytes) const { return scratch_.write("file", as_bytes(bytes)); }

 private:
  test::ScratchDirectory scratch_;
};

TEST_F(ConfigFile, TextPlainAndCompressed) {
  const auto plain = read_config_file(write(kText));
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->config.value("XEN"), "y");
  EXPECT_EQ(plain->where, "the file");
  EXPECT_TRUE(read_config_file(write(gzipped(kText))));
}

TEST_F(ConfigFile, Images) {
  const std::string kernel = std::string(9000, '\0') + ikconfig(kText) + std::string(9000, '\0');
  const auto image = read_config_file(write(kernel));
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->where, "the image's IKCONFIG");
  // What unpacks itself, with something before the payload that looks like the start of one, and something behind it.
  const auto packed = read_config_file(write(std::string(100, '\0') + "\x1f\x8b\x08junk" + gzipped(kernel) + "tail"));
  ASSERT_TRUE(packed) << packed.error().message;
  EXPECT_EQ(packed->where, "the IKCONFIG of the kernel that the image unpacks");
}

TEST_F(ConfigFile, OthersAreRefused) {
  EXPECT_EQ(read_config_file(write(std::string(9000, '\0'))).error().code, Errc::not_found);
  EXPECT_EQ(read_config_file(write("hello\n")).error().code, Errc::bad_format);
  std::string core(
      "\x7f"
      "ELF\x02\x01\x01",
      7);
  core.resize(64, '\0');
  core[16] = 4;  // ET_CORE
  EXPECT_EQ(read_config_file(write(core)).error().code, Errc::unsupported);
  EXPECT_EQ(read_config_file("/nonexistent/file").error().code, Errc::io);
}

#ifdef __linux__
TEST(ConfigSource, FilesOfProcAreRead) {
  // Where there is one: it can be read but not mapped.
  const auto found = read_config_file("/proc/config.gz");
  if (!found && found.error().code == Errc::io) {
    GTEST_SKIP() << found.error().message;
  }
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found->config.complete());
}
#endif

/// A guest without vCPUs: only its memory can be searched.
class ConfigInRam : public testing::Test {
 protected:
  void put(std::uint64_t at, const std::string& bytes) {
    std::vector<std::byte> copy(bytes.size());
    std::memcpy(copy.data(), bytes.data(), bytes.size());
    guest.physical.put_bytes(GuestPhys(at), copy);
  }
  void SetUp() override { guest.ranges = {{GuestPhys(0x40000000), 0x1000}}; }
  test::MemoryGuest guest;
};

TEST_F(ConfigInRam, IsFoundAcrossPages) {
  put(0x40100ff0, ikconfig(kText));
  const auto found = read_config(guest, {});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->config.version(), "6.1.0");
  put(0x40900000, ikconfig(kText));
  EXPECT_TRUE(read_config(guest, {})) << "a copy of the same is no doubt";
}

TEST_F(ConfigInRam, SeveralAreNotGuessedAt) {
  put(0x40100ff0, ikconfig(kText));
  put(0x40900000, ikconfig(kText + "CONFIG_XENFS=y\n"));
  const auto found = read_config(guest, {});
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("several kernels"), std::string::npos);
}

TEST_F(ConfigInRam, NothingIsSaid) {
  EXPECT_EQ(read_config(guest, {}).error().code, Errc::not_found);
  put(0x40100ff0, ikconfig(kText));
  guest.who.type = GuestType::pv;
  EXPECT_EQ(read_config(guest, {}).error().code, Errc::not_found) << "its frames are in no order";
}

}  // namespace
}  // namespace xstack
