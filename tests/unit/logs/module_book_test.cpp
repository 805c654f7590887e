// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/module_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/unit/guest/scratch_directory.h"

namespace xstack {
namespace {

using logs::ModuleBook;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kFixture = std::string(XSTACK_FIXTURES) + "/dwarf5.ko";

std::string slurp(const std::string& path) {
  const auto bytes = test::read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

FileFunction function(const std::string& path, const std::string& name) {
  auto file = DebugFile::open(path, std::nullopt);
  EXPECT_TRUE(file);
  for (const auto& here : (*file)->functions()) {
    if (here.name == name) {
      return here;
    }
  }
  ADD_FAILURE() << name;
  return {};
}

class Modules : public testing::Test {
 protected:
  /// A module of the release, as the kernel's package has it.
  std::string install(const std::string& name, const std::string& from = kFixture) {
    const auto folder = std::filesystem::path(scratch_.file("lib/modules/6.1.0-lab/kernel/drivers"));
    std::filesystem::create_directories(folder);
    const std::string path = (folder / name).string();
    const std::string bytes = slurp(from);
    if (name.ends_with(".gz")) {
      gzFile out = gzopen(path.c_str(), "wb");
      EXPECT_EQ(gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
      gzclose(out);
    } else {
      std::ofstream(path, std::ios::binary) << bytes;
    }
    return path;
  }
  ModuleBook book(const std::string& release = "6.1.0-lab") { return {{}, {scratch_.file(".")}, release}; }

  /// The lines of all of a function.
  static std::set<unsigned> lines(ModuleBook& book, logs::Frame frame) {
    std::set<unsigned> out;
    for (std::uint64_t offset = 1; offset <= *frame.size; ++offset) {
      frame.offset = offset;
      for (const SourcePlace& place : book.places_of(frame)) {
        out.insert(place.line.value_or(0));
      }
    }
    return out;
  }
  static logs::Frame frame(const std::string& name, std::uint64_t size, const std::string& module = "lab_mod") {
    logs::Frame out;
    out.symbol = name;
    out.module = module;
    out.size = size;
    return out;
  }

  test::ScratchDirectory scratch_;
};

TEST_F(Modules, LinesComeFromTheFileOfTheRelease) {
  install("lab-mod.ko");
  auto mine = book();
  const auto outer = frame("outer", function(kFixture, "outer").size);
  EXPECT_THAT(lines(mine, outer), testing::IsSupersetOf({7U, 12U, 17U, 18U}));
  auto other = book("6.1.0-other");
  EXPECT_THAT(lines(other, outer), IsEmpty());
  EXPECT_THAT(mine.take_warnings(), IsEmpty());
}

TEST_F(Modules, CompressedFilesAreRead) {
  install("lab_mod.ko.gz");
  auto mine = book();
  EXPECT_THAT(lines(mine, frame("outer", function(kFixture, "outer").size)), Contains(18U));
}

TEST_F(Modules, AFunctionOfAnotherSizeIsAnotherBuilds) {
  install("lab-mod.ko");
  auto mine = book();
  const auto outer = function(kFixture, "outer");
  const auto other = function(kFixture, "other");
  const std::uint64_t reach = other.address - outer.address;
  EXPECT_THAT(lines(mine, frame("outer", outer.size - 1)), IsEmpty());
  EXPECT_THAT(lines(mine, frame("outer", reach)), Contains(18U)) << "with the padding behind it";
  EXPECT_THAT(lines(mine, frame("outer", reach + 1)), IsEmpty());
  EXPECT_THAT(lines(mine, frame("absent", outer.size)), IsEmpty());
}

TEST_F(Modules, OfTwoFunctionsOfANameTheSizeTells) {
  const std::string twins = std::string(XSTACK_TWINS) + "/twins.ko";
  install("lab-mod.ko", twins);
  auto mine = book();
  const auto outer = function(kFixture, "outer");
  const auto other = function(kFixture, "other");
  ASSERT_NE(outer.size, other.size);
  EXPECT_THAT(lines(mine, frame("twin", outer.size)), Contains(18U));
  EXPECT_THAT(lines(mine, frame("twin", other.size)), Not(Contains(18U)));
}

TEST_F(Modules, ABuildIdDecides) {
  const std::string path = install("lab-mod.ko", std::string(XSTACK_TWINS) + "/identified.ko");
  auto file = DebugFile::open(path, std::nullopt);
  ASSERT_TRUE(file && (*file)->build_id());
  auto outer = frame("outer", function(kFixture, "outer").size);
  auto mine = book();
  outer.module_build_id = *(*file)->build_id();
  EXPECT_THAT(lines(mine, outer), Contains(18U));
  outer.module_build_id = std::string(40, 'a');
  EXPECT_THAT(lines(mine, outer), IsEmpty());
  EXPECT_THAT(mine.take_warnings(), ElementsAre(HasSubstr("its build-id is")));
  EXPECT_THAT(mine.take_warnings(), IsEmpty());
}

TEST_F(Modules, TheUsersFileComesFirst) {
  const std::string given = install("lab-mod.ko");
  ModuleBook mine({given}, {}, std::nullopt);
  const std::uint64_t size = function(kFixture, "outer").size;
  EXPECT_THAT(lines(mine, frame("outer", size)), Contains(18U));
  EXPECT_THAT(lines(mine, frame("outer", size, "another")), IsEmpty());
}

TEST_F(Modules, WhatIsNoModuleIsSaid) {
  std::ofstream(install("lab-mod.ko")) << "text";
  auto mine = book();
  EXPECT_THAT(lines(mine, frame("outer", 16)), IsEmpty());
  EXPECT_THAT(mine.take_warnings(), ElementsAre(HasSubstr("/lib/modules/6.1.0-lab/kernel/drivers/lab-mod.ko: ")));
}

}  // namespace
}  // namespace xstack
