// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/debug_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace xstack {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

/// A folder that is there for one test.
class Search : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "xstack-search-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string put(const std::string& path, const std::string& content = "x") {
    fs::create_directories((folder / path).parent_path());
    std::ofstream(folder / path) << content;
    return (folder / path).string();
  }
  std::string copy(const std::string& name, const std::string& path) {
    fs::create_directories((folder / path).parent_path());
    fs::copy_file(std::string(XSTACK_FIXTURES "/") + name, folder / path);
    return (folder / path).string();
  }

  fs::path folder;
};

TEST_F(Search, TheBuildIdTree) {
  const std::string file = put(".build-id/00/112233445566778899aabbccddeeff00112233.debug");
  const std::vector<std::string> directories = {"/nonexistent", folder.string()};
  EXPECT_EQ(find_by_build_id(directories, "00112233445566778899aabbccddeeff00112233"), file);
  EXPECT_EQ(find_by_build_id(directories, "01112233445566778899aabbccddeeff00112233"), std::nullopt);
}

TEST_F(Search, NamesOfAGuestLeadNowhereElse) {
  put("secret");
  put("x/.build-id/00/y.debug");
  put("boot/vmlinux-6.1");
  const std::vector<std::string> directories = {(folder / "x").string()};
  EXPECT_EQ(find_by_build_id(directories, "00/../../../secret"), std::nullopt);
  EXPECT_EQ(find_by_build_id(directories, "0"), std::nullopt);
  EXPECT_EQ(find_by_build_id(directories, ""), std::nullopt);
  for (const char* release : {"../../boot/vmlinux-6.1", "..", ".", "", "a/b"}) {
    EXPECT_THAT(find_kernel_files(directories, std::nullopt, release).by_release, IsEmpty()) << release;
    EXPECT_THAT(ModuleFiles(directories, release).find("secret"), IsEmpty()) << release;
  }
}

TEST_F(Search, PlacesByRelease) {
  const std::string boot = put("boot/vmlinux-6.1.0-50-arm64");
  const std::string lib = put("lib/modules/6.1.0-50-arm64/vmlinux");
  put("boot/vmlinux-6.1.0-51-arm64");
  const auto found = find_kernel_files({folder.string()}, std::nullopt, "6.1.0-50-arm64");
  EXPECT_FALSE(found.by_build_id);
  EXPECT_THAT(found.by_release, ElementsAre(boot, lib));
}

TEST_F(Search, Modules) {
  const std::string net = put("lib/modules/6.1/kernel/drivers/net/virtio-net.ko");
  const std::string dog = put("usr/lib/modules/6.1/extra/softdog.ko.debug.xz");
  put("lib/modules/6.2/kernel/softdog.ko");
  ModuleFiles files({folder.string()}, "6.1");
  EXPECT_THAT(files.find("virtio_net"), ElementsAre(net));
  EXPECT_THAT(files.find("softdog"), ElementsAre(dog));
  EXPECT_THAT(files.find("net"), IsEmpty());
}

TEST_F(Search, WhatAModuleFileIsCalled) {
  EXPECT_EQ(module_of_file("/a/virtio-net.ko"), "virtio_net");
  EXPECT_EQ(module_of_file("x.ko.debug"), "x");
  EXPECT_EQ(module_of_file("x.ko.xz"), "x");
  EXPECT_EQ(module_of_file("x.ko.debug.zst"), "x");
  EXPECT_EQ(module_of_file("vmlinux"), std::nullopt);
  EXPECT_EQ(module_of_file(".ko"), std::nullopt);
  EXPECT_EQ(module_of_file("x.ko.bz2"), std::nullopt);
}

TEST_F(Search, DwarfApartByLink) {
  const std::string path = copy("stripped.elf", "stripped.elf");
  auto alone = open_with_dwarf(path, std::nullopt, {});
  ASSERT_TRUE(alone);
  EXPECT_FALSE((*alone)->has_dwarf());
  const std::string debug = copy("stripped.elf.debug", ".debug/stripped.elf.debug");
  auto found = open_with_dwarf(path, std::nullopt, {});
  ASSERT_TRUE(found);
  EXPECT_TRUE((*found)->has_dwarf());
  EXPECT_EQ((*found)->path(), debug);
}

TEST_F(Search, DwarfApartMustHaveTheRightSum) {
  const std::string path = copy("stripped.elf", "stripped.elf");
  const std::string debug = copy("stripped.elf.debug", "stripped.elf.debug");
  std::ofstream(debug, std::ios::app) << "one byte more";
  auto found = open_with_dwarf(path, std::nullopt, {});
  ASSERT_TRUE(found);
  EXPECT_FALSE((*found)->has_dwarf());
}

TEST_F(Search, DwarfApartByBuildId) {
  const std::string path = copy("stripped.elf", "stripped.elf");
  const auto file = DebugFile::open(path, std::nullopt);
  ASSERT_TRUE(file);
  const std::string id = (*file)->build_id().value();
  const std::string debug = copy("stripped.elf.debug", ".build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug");
  auto found = open_with_dwarf(path, std::nullopt, {folder.string()});
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->path(), debug);
}

TEST_F(Search, AModuleThatIsCompressedAsAWhole) {
  const std::string path = copy("dwarf5.ko", "m.ko");
  ASSERT_EQ(std::system(("gzip '" + path + "'").c_str()), 0);
  const auto file = open_with_dwarf(path + ".gz", std::nullopt, {});
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ((*file)->functions().size(), 2U);
  EXPECT_FALSE((*file)->places_at((*file)->functions().front().address).empty());
}

}  // namespace
}  // namespace xstack
