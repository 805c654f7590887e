// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/debug_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "guest/dump/input_file.h"

namespace xstack {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

struct Line {
  std::string function;
  unsigned line = 0;
  friend bool operator==(const Line&, const Line&) = default;
};
using Chain = std::vector<Line>;

std::string fixture(const std::string& name) {
  return std::string(XSTACK_FIXTURES "/") + name;
}

std::unique_ptr<DebugFile> open_fixture(const std::string& name) {
  auto file = DebugFile::open(fixture(name), std::nullopt);
  EXPECT_TRUE(file) << file.error().message;
  return file ? std::move(*file) : nullptr;
}

/// Where `function` of the fixture is and how long it is.
std::pair<std::uint64_t, std::uint64_t> place_of(DebugFile& file, std::string_view function) {
  for (const FileFunction& f : file.functions()) {
    if (f.name == function) {
      return {f.address, f.size};
    }
  }
  const std::array names = {function};
  const SymbolTable table = file.symbols_named(names);
  const auto address = table.address_of(function);
  return {address.value_or(0), 64};
}

/// The chains of inlined calls at all addresses of a function, each once.
std::vector<Chain> chains_in(DebugFile& file, std::string_view function) {
  const auto [begin, size] = place_of(file, function);
  std::vector<Chain> all;
  for (std::uint64_t at = begin; at < begin + size; ++at) {
    Chain chain;
    for (const SourcePlace& place : file.places_at(at)) {
      EXPECT_THAT(place.file.value_or(""), EndsWith("fixture.c"));
      chain.push_back({place.function.value_or(""), place.line.value_or(0)});
    }
    if (chain.empty() || chain.back().function != function) {
      break;  // past its end
    }
    if (std::find(all.begin(), all.end(), chain) == all.end()) {
      all.push_back(chain);
    }
  }
  return all;
}

class LinesOf : public testing::TestWithParam<const char*> {};

TEST_P(LinesOf, FunctionsAndWhatWasInlined) {
  const auto file = open_fixture(GetParam());
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->has_dwarf());
  const auto outer = chains_in(*file, "outer");
  EXPECT_THAT(outer, testing::Contains(Chain{{"innermost", 7}, {"middle", 12}, {"outer", 17}}));
  EXPECT_THAT(outer, testing::Contains(Chain{{"outer", 18}}));
  EXPECT_THAT(chains_in(*file, "other"), testing::Contains(Chain{{"other", 23}}));
}

INSTANTIATE_TEST_SUITE_P(DebugFile, LinesOf,
                         testing::Values("dwarf4.elf", "dwarf5.elf", "compressed.elf", "dwarf4.ko", "dwarf5.ko",
                                         "compressed.ko"));

TEST(DebugFile, AModulesFunctionsAreLaidOut) {
  const auto file = open_fixture("dwarf5.ko");
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->relocatable());
  const auto& functions = file->functions();
  ASSERT_EQ(functions.size(), 2U);
  EXPECT_EQ(functions[0].section, functions[1].section);
  EXPECT_NE(functions[0].address, functions[1].address);
  EXPECT_GT(functions[0].size, 0U);
}

TEST(DebugFile, ALinkedImageHasNoLayoutToTell) {
  const auto file = open_fixture("dwarf5.elf");
  ASSERT_TRUE(file);
  EXPECT_FALSE(file->relocatable());
  EXPECT_TRUE(file->functions().empty());
  EXPECT_EQ(file->build_id().value_or("").size(), 40U);
}

TEST(DebugFile, OutsideOfAllCode) {
  const auto file = open_fixture("dwarf5.elf");
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->places_at(0).empty());
  EXPECT_TRUE(file->places_at(~std::uint64_t{0}).empty());
}

TEST(DebugFile, ForAnotherMachine) {
  const auto file = open_fixture("dwarf5.elf");
  ASSERT_TRUE(file);
  const ArchId wrong = file->arch() == ArchId::arm32 ? ArchId::arm64 : ArchId::arm32;
  const auto refused = DebugFile::open(fixture("dwarf5.elf"), wrong);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unsupported);
}

TEST(DebugFile, NoElfFile) {
  const std::vector<std::byte> bytes(100, std::byte{'x'});
  const auto file = DebugFile::from_bytes(bytes, std::nullopt);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Errc::bad_format);
}

TEST(DebugFile, AClaimToUnpackToMoreThanCanBe) {
  const auto input = InputFile::open(fixture("compressed.elf"));
  ASSERT_TRUE(input);
  std::vector<std::byte> bytes((*input)->bytes().begin(), (*input)->bytes().end());
  const auto whole = DebugFile::from_bytes(bytes, std::nullopt);
  ASSERT_TRUE(whole);
  const auto [address, size] = place_of(**whole, "outer");
  ASSERT_FALSE((*whole)->places_at(address).empty());
  // Every compression header (type 1, reserved 0, then the size): a gigabyte from some hundred bytes.
  if ((*whole)->arch() != ArchId::x86_64 && (*whole)->arch() != ArchId::arm64) {
    GTEST_SKIP() << "the header has another form here";
  }
  std::vector<std::byte> lying = bytes;
  const std::array<std::byte, 8> head = {std::byte{1}};
  const std::array<std::byte, 2> deflate = {std::byte{0x78}, std::byte{0x9c}};
  unsigned changed = 0;
  for (std::size_t at = 0; at + 26 < lying.size(); ++at) {
    if (std::equal(head.begin(), head.end(), lying.begin() + static_cast<std::ptrdiff_t>(at)) &&
        std::equal(deflate.begin(), deflate.end(), lying.begin() + static_cast<std::ptrdiff_t>(at) + 24)) {
      lying[at + 8 + 3] = std::byte{0x40};
      ++changed;
    }
  }
  ASSERT_GT(changed, 0U);
  const auto file = DebugFile::from_bytes(lying, std::nullopt);
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->places_at(address).empty());
}

TEST(DebugFile, CutShortAnywhere) {
  const auto input = InputFile::open(fixture("dwarf5.elf"));
  ASSERT_TRUE(input);
  const auto all = (*input)->bytes();
  for (std::size_t size = 0; size < all.size(); size += all.size() / 97 + 1) {
    const std::vector<std::byte> part(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size));
    if (const auto file = DebugFile::from_bytes(part, std::nullopt)) {
      (void)(*file)->places_at(0x1000);
    }
  }
}

}  // namespace
}  // namespace xstack
