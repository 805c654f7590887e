// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/symbol_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "symbols/aliases.h"

namespace xstack {
namespace {

std::string best_of(const std::vector<std::pair<char, std::string>>& at_one_address) {
  SymbolTable table;
  for (const auto& [type, name] : at_one_address) {
    table.add(0x1000, 0, type, name);
  }
  table.add(0x2000, 0, 'T', "next");
  table.sort();
  const auto symbol = table.symbol_at(0x1004);
  return symbol ? symbol->name : "";
}

TEST(SymbolTable, OfSeveralNamesTheBest) {
  EXPECT_EQ(best_of({{'t', "local"}, {'T', "global"}}), "local") << "the kernel's order knows no such rank";
  EXPECT_EQ(best_of({{'T', "__cpuidle_text_end"}, {'t', "rest_init"}}), "rest_init");
  EXPECT_EQ(best_of({{'T', "__end_once"}, {'T', "__stop___x"}, {'t', "___real"}}), "___real");
  EXPECT_EQ(best_of({{'T', "__irqentry_text_start"}, {'W', "handler"}}), "__irqentry_text_start");
  EXPECT_EQ(best_of({{'T', "__se_sys_x"}, {'T', "_x"}, {'T', "x"}, {'T', "y"}}), "x");
  EXPECT_EQ(best_of({{'T', "____"}, {'T', "__x"}}), "__x");
  EXPECT_EQ(best_of({{'W', "weak"}, {'t', "local"}}), "local");
  EXPECT_EQ(best_of({{'w', "weak"}, {'T', "global"}}), "global");
  EXPECT_EQ(best_of({{'T', "__cfi_f"}, {'t', "f"}}), "f");
  EXPECT_EQ(best_of({{'T', "__pi_memcpy"}, {'W', "memcpy"}}), "memcpy");
  EXPECT_EQ(best_of({{'T', "__pfx_f"}}), "__pfx_f");
  EXPECT_EQ(best_of({{'T', "$a"}}), "") << "mapping symbols are not even stored";
  EXPECT_EQ(best_of({{'T', "first"}, {'T', "second"}}), "first");
  EXPECT_EQ(best_of({{'A', "constant"}, {'t', "code"}}), "code");
  EXPECT_EQ(best_of({{'A', "constant"}}), "");
}

TEST(SymbolTable, TheLastSymbolReachesAsFarAsItsSizeSays) {
  SymbolTable table;
  table.add(0x1000, 0, 'T', "a");
  table.add(0x2000, 0x40, 'T', "sized");
  table.sort();
  EXPECT_EQ(table.symbol_at(0x203f)->name, "sized");
  EXPECT_EQ(table.symbol_at(0x203f)->size, 0x40U);
  EXPECT_FALSE(table.symbol_at(0x2040));
  EXPECT_FALSE(table.symbol_at(~std::uint64_t{0}));
}

TEST(SymbolTable, TheLastSymbolWithoutASizeIsOneAddress) {
  SymbolTable table;
  table.add(0x1000, 0, 'T', "a");
  table.add(0x2000, 0, 'T', "unsized");
  table.sort();
  EXPECT_EQ(table.symbol_at(0x2000)->name, "unsized");
  EXPECT_FALSE(table.symbol_at(0x2001));
}

TEST(SymbolTable, SortsAnyAddressesAndKeepsTheOrderOfEqualOnes) {
  // Some far below the rest, as absolute ones are, and many alike.
  std::mt19937_64 random(1);
  struct Symbol {
    std::uint64_t address;
    std::string name;
  };
  for (const std::uint64_t base : {std::uint64_t{0}, std::uint64_t{0xffff800008000000}}) {
    SymbolTable table;
    std::vector<Symbol> truth;
    for (unsigned i = 0; i < 3000; ++i) {
      const std::uint64_t address = i % 7 == 0 ? random() % 5 * 0x1000 : base + random() % 1000 * 0x00400123;
      truth.push_back({address, "s" + std::to_string(i)});
      table.add(address, 1, 'T', truth.back().name);
    }
    table.sort();
    std::stable_sort(truth.begin(), truth.end(),
                     [](const Symbol& a, const Symbol& b) { return a.address < b.address; });
    std::size_t i = 0;
    table.for_each([&](std::string_view name, std::uint64_t address, std::uint64_t) {
      ASSERT_LT(i, truth.size());
      EXPECT_EQ(address, truth[i].address);
      EXPECT_EQ(name, truth[i++].name);
    });
    EXPECT_EQ(i, truth.size());
  }
}

TEST(SymbolTable, Empty) {
  SymbolTable table;
  table.sort();
  EXPECT_TRUE(table.empty());
  EXPECT_FALSE(table.all_zero());
  EXPECT_FALSE(table.symbol_at(0));
  EXPECT_FALSE(table.address_of(""));
}

TEST(SymbolTable, TheKernelsOwnSymbolBeforeAModulesOfTheSameName) {
  SymbolTable table;
  table.add(0xbf000000, 0, 't', "panic", "tricky");  // modules of arm32 lie below the kernel
  table.add(0xc0100000, 0, 'T', "panic");
  table.add(0xbf000100, 0, 't', "only_here", "tricky");
  table.sort();
  EXPECT_EQ(table.address_of("panic"), 0xc0100000U);
  EXPECT_EQ(table.address_of("only_here"), std::nullopt) << "names of the kernel only, as CodeInfo has it";
}

TEST(SymbolTable, CodeOfModulesReachesToTheEndOfItsPage) {
  SymbolTable table;
  table.add(0xbf000000, 0, 't', "one_first", "one");
  table.add(0xbf000100, 0, 't', "one_last", "one");
  table.add(0xbf002000, 0, 'd', "one_data", "one");
  table.add(0xbf005000, 0, 'T', "two_only", "two");
  table.add(0xc0008000, 0, 'T', "_text");
  table.sort();
  EXPECT_TRUE(table.has_modules());
  for (const std::uint64_t code : {0xbf000000U, 0xbf0000ffU, 0xbf000200U, 0xbf005000U, 0xbf005fffU}) {
    EXPECT_TRUE(table.is_module_code(code)) << std::hex << code;
  }
  for (const std::uint64_t other : {0xbeffffffU, 0xbf002000U, 0xbf004000U, 0xbf006000U, 0xc0008000U}) {
    EXPECT_FALSE(table.is_module_code(other)) << std::hex << other;
  }
  EXPECT_FALSE(SymbolTable().has_modules());
}

TEST(SymbolTable, FilesOfALinkedKernelSlide) {
  SymbolTable linked;
  linked.add(0xffffffff81000000, 0, 'T', "_text");
  linked.add(0xffffffff81001000, 0x10, 'T', "f");
  linked.sort();
  FileSymbols symbols(std::move(linked), "System.map:x", 0x1e000000);
  EXPECT_EQ(symbols.describe(), "System.map:x");
  const auto symbol = symbols.symbol_at(GuestVirt(0xffffffff9f001008));
  ASSERT_TRUE(symbol);
  EXPECT_EQ(symbol->name, "f");
  EXPECT_EQ(symbol->start.value, 0xffffffff9f001000U);
  EXPECT_EQ(symbols.address_of("_text"), GuestVirt(0xffffffff9f000000));
  EXPECT_FALSE(symbols.symbol_at(GuestVirt(0xffffffff81001008)));
  EXPECT_FALSE(symbols.address_of("g"));
}

TEST(SymbolTable, FilesSlideDownToo) {
  SymbolTable linked;
  linked.add(0xffff800080000000, 0, 'T', "_text");
  linked.add(0xffff800080001000, 0x10, 'T', "f");
  linked.sort();
  FileSymbols symbols(std::move(linked), "vmlinux:x", std::uint64_t{0} - 0x10000);
  EXPECT_EQ(symbols.address_of("f"), GuestVirt(0xffff80007fff1000));
  EXPECT_EQ(symbols.symbol_at(GuestVirt(0xffff80007fff0010))->name, "_text");
}

TEST(Aliases, MappingSymbols) {
  for (const char* name : {"$a", "$d", "$t", "$x", "$x.123", ".Lfoo", "L01"}) {
    EXPECT_TRUE(is_mapping_symbol(name)) << name;
  }
  for (const char* name : {"", "$", "$ab", "$b", "a$a", "Lx", "_L0", "x"}) {
    EXPECT_FALSE(is_mapping_symbol(name)) << name;
  }
}

}  // namespace
}  // namespace xstack
