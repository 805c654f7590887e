// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/file_slide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xstack {
namespace {

using testing::HasSubstr;

SymbolTable table(const std::vector<std::pair<const char*, std::uint64_t>>& symbols, std::uint64_t slide = 0) {
  SymbolTable out;
  for (const auto& [name, address] : symbols) {
    out.add(address + slide, 0, 'T', name);
  }
  out.sort();
  return out;
}

const std::vector<std::pair<const char*, std::uint64_t>> kKernel = {{"_stext", 0xffffffff81000000},
                                                                    {"schedule", 0xffffffff81a00000},
                                                                    {"panic", 0xffffffff81100000},
                                                                    {"_etext", 0xffffffff82000000}};

TEST(FileSlide, TheSameAsBetweenTheSymbols) {
  for (const std::uint64_t slide : {std::uint64_t{0}, std::uint64_t{0x1e200000}, std::uint64_t{0} - 0x10000}) {
    FileSymbols kernel(table(kKernel, slide), "kallsyms", 0);
    const auto settled = settle_slide(table(kKernel), &kernel, 0x77);
    EXPECT_EQ(settled.offset, slide) << "what the symbols show counts before what the kernel says";
    EXPECT_FALSE(settled.problem);
  }
}

TEST(FileSlide, OneSymbolElsewhereIsAnotherKernel) {
  for (std::size_t i = 0; i < kKernel.size(); ++i) {
    auto other = kKernel;
    other[i].second += 0x40;
    FileSymbols kernel(table(other), "kallsyms", 0);
    const auto settled = settle_slide(table(kKernel), &kernel, 0);
    EXPECT_FALSE(settled.offset) << other[i].first;
    ASSERT_TRUE(settled.problem);
    EXPECT_THAT(*settled.problem, HasSubstr("another kernel"));
  }
}

TEST(FileSlide, NothingInCommonIsNoFileOfThisKernel) {
  FileSymbols kernel(table(kKernel), "kallsyms", 0);
  const auto settled = settle_slide(table({{"main", 0x4000}, {"_init", 0x3000}}), &kernel, 0x1000);
  EXPECT_FALSE(settled.offset);
  ASSERT_TRUE(settled.problem);
  EXPECT_THAT(*settled.problem, HasSubstr("not used"));
}

TEST(FileSlide, WithoutTheKernelsNamesItsOwnWord) {
  EXPECT_EQ(settle_slide(table(kKernel), nullptr, 0x200000).offset, 0x200000U);
  EXPECT_EQ(settle_slide(table(kKernel), nullptr, std::nullopt).offset, 0U);
  FileSymbols nameless(table({}), "kallsyms", 0);
  EXPECT_EQ(settle_slide(table(kKernel), &nameless, 0x200000).offset, 0x200000U);
}

}  // namespace
}  // namespace xstack
