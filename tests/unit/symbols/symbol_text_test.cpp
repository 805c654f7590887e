// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "symbols/symbol_file.h"

namespace xstack {
namespace {

using testing::HasSubstr;

std::string name_at(const SymbolTable& table, std::uint64_t address) {
  const auto symbol = table.symbol_at(address);
  return symbol ? symbol->name : "";
}

std::string refusal(std::string_view text) {
  const auto table = parse_symbol_text(text);
  if (table) {
    return "";
  }
  EXPECT_EQ(table.error().code, Errc::bad_format);
  return table.error().message;
}

TEST(SymbolText, SystemMapOf64Bits) {
  const auto table = parse_symbol_text(
      "ffffffff81000000 T _text\n"
      "ffffffff81000100 t early\n"
      "ffffffff81000180 T late\n");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->size(), 3U);
  const auto symbol = table->symbol_at(0xffffffff81000104);
  ASSERT_TRUE(symbol);
  EXPECT_EQ(symbol->name, "early");
  EXPECT_EQ(symbol->start.value, 0xffffffff81000100U);
  EXPECT_EQ(symbol->size, 0x80U);
  EXPECT_EQ(symbol->module, "");
  EXPECT_EQ(table->address_of("late"), 0xffffffff81000180U);
  EXPECT_FALSE(table->address_of("lat"));
}

TEST(SymbolText, SystemMapOf32Bits) {
  const auto table = parse_symbol_text("c0008000 T stext\nc0008100 t here\nc0008200 T there\n");
  ASSERT_TRUE(table);
  EXPECT_EQ(name_at(*table, 0xc00081ff), "here");
  EXPECT_EQ(name_at(*table, 0xc0007fff), "");
}

TEST(SymbolText, AnyOrder) {
  const auto table = parse_symbol_text("c0008200 T c\nc0008000 T a\nc0008100 t b\n");
  ASSERT_TRUE(table);
  EXPECT_EQ(name_at(*table, 0xc0008001), "a");
  EXPECT_EQ(name_at(*table, 0xc0008101), "b");
  EXPECT_EQ(name_at(*table, 0xc0008200), "c");
}

TEST(SymbolText, NoNewlineAtTheEnd) {
  const auto table = parse_symbol_text("c0008000 T a\nc0008100 T last");
  ASSERT_TRUE(table);
  EXPECT_EQ(name_at(*table, 0xc0008100), "last");
}

TEST(SymbolText, LinesThatEndAsInDos) {
  const auto table = parse_symbol_text("c0008000 T a\r\nc0008100 T b\r\n");
  ASSERT_TRUE(table);
  EXPECT_EQ(name_at(*table, 0xc0008000), "a");
  EXPECT_EQ(table->address_of("b"), 0xc0008100U);
}

TEST(SymbolText, ModulesOfKallsyms) {
  const auto table = parse_symbol_text(
      "ffff800080010000 T _stext\n"
      "ffff80007a000000 t softdog_fire\t[softdog]\n"
      "ffff80007a000100 t other\t[softdog]\r\n"
      "ffff80007a010000 t cut\t[soft\n"
      "ffff80007b000000 T bpf_prog_1\t[bpf]\n");
  ASSERT_TRUE(table);
  const auto fire = table->symbol_at(0xffff80007a000008);
  ASSERT_TRUE(fire);
  EXPECT_EQ(fire->name, "softdog_fire");
  EXPECT_EQ(fire->module, "softdog");
  EXPECT_EQ(table->symbol_at(0xffff80007a000100)->module, "softdog");
  EXPECT_EQ(table->symbol_at(0xffff80007a010000)->module, "");
  EXPECT_EQ(table->symbol_at(0xffff80007b000000)->module, "bpf");
  EXPECT_EQ(table->symbol_at(0xffff800080010000)->module, "");
}

TEST(SymbolText, MappingSymbolsNameNothing) {
  const auto table = parse_symbol_text("c0008000 T a\nc0008010 t $a\nc0008020 t $d.12\nc0008030 t .L5\nc0008100 T b\n");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->size(), 2U);
  EXPECT_EQ(name_at(*table, 0xc0008040), "a");
  EXPECT_EQ(table->symbol_at(0xc0008040)->size, 0x100U);
}

TEST(SymbolText, LongLinesAreReadWhole) {
  const std::string name(600, 'x');
  const std::string monster(100000, 'y');
  const auto table =
      parse_symbol_text("c0008000 T " + name + "\nc0008100 T " + monster + "\nc0008200 T after\n" + monster + "\n");
  ASSERT_TRUE(table);
  EXPECT_EQ(name_at(*table, 0xc0008000), name);
  EXPECT_EQ(name_at(*table, 0xc0008200), "after");
  EXPECT_EQ(table->size(), 2U) << "no symbol has a name of 100000 characters";
}

TEST(SymbolText, LinesOfAnotherFormArePassedOver) {
  const auto table = parse_symbol_text(
      "\n"
      "# a comment\n"
      "                 U undefined\n"
      "                 w weak_undefined\n"
      "c0008000 T a\n"
      "c0008100 T\n"
      "c0008100 T \n"
      "c0008100 TT b\n"
      "c0008100\tT\tb\n"
      "c000810000000000000 T b\n"
      "0xc0008100 T b\n"
      "-c0008100 T b\n"
      "c0008200 T c\n");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->size(), 2U);
}

TEST(SymbolText, ProseIsNoSymbolTable) {
  // Each line begins with hexadecimal digits, one character and a word.
  EXPECT_THAT(refusal("be a fool\nface 2 face\nadd a teaspoon of salt\n"), HasSubstr("neither System.map"));
  EXPECT_THAT(refusal("deadbeef 1 word\ndeadbeef - word\n"), HasSubstr("neither System.map")) << "no type letters";
  EXPECT_THAT(refusal(""), HasSubstr("no symbols"));
  EXPECT_THAT(refusal(std::string(1000, '\0')), HasSubstr("no symbols"));
  EXPECT_THAT(refusal(std::string(1000, '\n')), HasSubstr("no symbols"));
}

TEST(SymbolText, HiddenAddressesAreSaidToBe) {
  EXPECT_THAT(refusal("0000000000000000 T _text\n0000000000000000 t b\t[mod]\n"), HasSubstr("kptr_restrict"));
  EXPECT_THAT(refusal("00000000 T _text\n00000000 t b\n"), HasSubstr("kptr_restrict"));
}

TEST(SymbolText, PerCpuSymbolsAtZeroAreNoHiding) {
  const auto table = parse_symbol_text(
      "0000000000000000 A __per_cpu_start\n0000000000001000 A cpu_debug_store\nffffffff81000000 T _text\n");
  ASSERT_TRUE(table);
  EXPECT_EQ(name_at(*table, 0x10), "") << "absolute values are no code";
  EXPECT_EQ(name_at(*table, 0xffffffff81000000), "_text");
}

TEST(SymbolText, TheStubOfADistributionIsRecognised) {
  static constexpr std::string_view kStub =
      "ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n";
  static_assert(kStub.size() == 83);
  EXPECT_THAT(refusal(kStub), HasSubstr("debug package"));
  EXPECT_THAT(refusal(kStub.substr(0, 82)), HasSubstr("debug package"));
}

}  // namespace
}  // namespace xstack
