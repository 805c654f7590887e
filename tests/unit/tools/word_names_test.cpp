// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/word_names.h"

#include <gtest/gtest.h>

#include <array>

namespace xstack {
namespace {

/// Code is [0x1000, 0x3000): panic up to 0x2000, then a module's function.
class TwoFunctions final : public CodeInfo {
 public:
  std::optional<CodeSymbol> function_at(GuestVirt address) override {
    if (address.value < 0x1000) {
      return std::nullopt;
    }
    return address.value < 0x2000 ? CodeSymbol{"panic", GuestVirt(0x1000), 0x1000, ""}
                                  : CodeSymbol{"fire", GuestVirt(0x2000), 0, "softdog"};
  }
  std::optional<bool> is_code(GuestVirt address) override { return address.value >= 0x1000 && address.value < 0x3000; }
  std::optional<GuestVirt> address_of(std::string_view name) override {
    (void)name;
    return std::nullopt;
  }
};

TEST(WordNames, OnlyWordsInCodeAndAReturnAddressByItsCall) {
  TwoFunctions code;
  const std::array<std::uint64_t, 5> words = {0, 0x1010, 0x2000, 0x2008, 0x5000};
  const auto names = name_words(words, code);
  ASSERT_EQ(names.size(), 3U);
  EXPECT_EQ(names[0].index, 1U);
  EXPECT_EQ(names[0].symbol, "panic");
  EXPECT_EQ(names[0].offset, 0x10U);
  EXPECT_EQ(names[0].size, 0x1000U);
  EXPECT_EQ(names[0].module, std::nullopt);
  EXPECT_EQ(names[1].symbol, "panic") << "a return address at the very end of a function that does not return";
  EXPECT_EQ(names[1].offset, 0x1000U);
  EXPECT_EQ(names[2].index, 3U);
  EXPECT_EQ(names[2].module, "softdog");
  EXPECT_EQ(names[2].size, std::nullopt);
}

TEST(WordNames, BytesAreReadAsWordsAndARestIsLeftOut) {
  TwoFunctions code;
  const std::array<std::byte, 6> bytes = {std::byte{0x10}, std::byte{0x10}, std::byte{0},
                                          std::byte{0},    std::byte{0x10}, std::byte{0x10}};
  const auto names = name_words(bytes, 4, code);
  ASSERT_EQ(names.size(), 1U);
  EXPECT_EQ(names[0].index, 0U);
  EXPECT_TRUE(name_words(bytes, 8, code).empty());
}

}  // namespace
}  // namespace xstack
