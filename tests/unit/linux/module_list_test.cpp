// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/module_list.h"

#include <gtest/gtest.h>

#include "arch/x86/x86.h"
#include "tests/support/fake_memory.h"
#include "tests/support/identity_translation.h"
#include "tests/support/module_builder.h"

namespace xstack {
namespace {

using test::BuiltModule;
using test::BuiltModules;
using test::FakeVirt;
using test::ModuleForm;

/// Every way in which a kernel lays struct module out, as far as the builder knows.
struct Case {
  const char* name;
  ModuleForm form;
};

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

class EveryModuleForm : public testing::TestWithParam<Case> {
 protected:
  ModuleListing list() { return read_module_list(memory_, built_.head, word()); }
  [[nodiscard]] unsigned word() const { return GetParam().form.word_size; }

  FakeVirt memory_;
  BuiltModules built_ = test::build_modules(memory_, GetParam().form, 4);
};

INSTANTIATE_TEST_SUITE_P(
    Forms, EveryModuleForm,
    testing::Values(Case{"Array64", {}}, Case{"ArrayRox64", {.rox = true}}, Case{"Layout64", {.array = false}},
                    Case{"Array32", {.word_size = 4}}, Case{"Layout32", {.word_size = 4, .array = false}},
                    Case{"Elsewhere64", {.memory_at = 0x1f8, .stride = 0x50, .kallsyms_at = 0x288}},
                    Case{"Elsewhere32", {.word_size = 4, .memory_at = 0xd4, .stride = 0x34}}),
    case_name);

TEST_P(EveryModuleForm, IsToldByWhatTheStructuresHold) {
  const ModuleListing listing = list();
  EXPECT_FALSE(listing.problem) << *listing.problem;
  ASSERT_EQ(listing.modules.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    const FoundModule& found = listing.modules[i];
    const BuiltModule& truth = built_.modules[i];
    EXPECT_EQ(found.module.name, truth.name);
    EXPECT_EQ(found.module.structure, truth.data);
    EXPECT_EQ(found.module.text_begin, truth.text);
    EXPECT_EQ(found.module.text_end, truth.text + 0x1000);
    EXPECT_EQ(found.module.init_text_begin, found.module.init_text_end) << "freed after loading";
    ASSERT_TRUE(found.table);
    EXPECT_EQ(found.table->symtab, truth.symtab);
    EXPECT_EQ(found.table->count, 6U);
  }
}

TEST_P(EveryModuleForm, NamesComeFromItsOwnTable) {
  const BuiltModule& module = built_.modules[2];
  ModuleSymbols symbols(memory_, list().modules, word(), false);
  const auto name_at = [&](std::uint64_t offset) {
    const auto symbol = symbols.symbol_at(module.text + offset);
    return symbol ? symbol->module + ":" + symbol->name : "";
  };
  EXPECT_EQ(name_at(0), "module_2:first");
  EXPECT_EQ(name_at(0xff), "module_2:first");
  EXPECT_EQ(name_at(0x104), "module_2:second") << "a mapping symbol names nothing";
  EXPECT_EQ(name_at(0x180), "module_2:second") << "an undefined symbol is not here";
  EXPECT_EQ(name_at(0x200), "module_2:third");
  EXPECT_EQ(symbols.symbol_at(module.text + 0x10)->size, 0x100U);
  EXPECT_EQ(symbols.symbol_at(module.text + 0x210)->size, 0xe00U) << "the last one reaches to the end of the text";
  EXPECT_EQ(name_at(0x1000), "");
  EXPECT_FALSE(symbols.symbol_at(module.text - 1));
}

class ModuleList : public testing::Test {
 protected:
  void next(GuestVirt list, GuestVirt target) { test::put_word(memory_, list, target.value, 8); }
  void prev(GuestVirt list, GuestVirt target) { test::put_word(memory_, list + 8, target.value, 8); }
  ModuleListing list() { return read_module_list(memory_, built_.head, 8); }
  /// Breaks off after `count` modules, and says so.
  void expect_break(std::size_t count) {
    const ModuleListing listing = list();
    EXPECT_EQ(listing.modules.size(), count);
    ASSERT_TRUE(listing.problem);
    EXPECT_NE(listing.problem->find("breaks off after " + std::to_string(count) + " modules"), std::string::npos)
        << *listing.problem;
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(listing.modules[i].module.text_begin, built_.modules[i].text) << "what came before still stands";
    }
  }

  FakeVirt memory_;
  BuiltModules built_ = test::build_modules(memory_, {}, 4);
};

TEST_F(ModuleList, InACircleThatLeavesTheHeadOut) {
  // 0 -> 1 -> 2 -> 0, and 0 points back to 2 as it would in a whole list of its own.
  next(built_.modules[2].list, built_.modules[0].list);
  expect_break(3);
}

TEST_F(ModuleList, InACircleWhoseBackwardPointersAgree) {
  next(built_.head, built_.modules[0].list);
  next(built_.modules[1].list, built_.modules[1].list);
  prev(built_.modules[1].list, built_.modules[0].list);
  expect_break(2);
  prev(built_.modules[1].list, built_.modules[1].list);
  expect_break(1);
}

TEST_F(ModuleList, IntoNowhere) {
  for (const std::uint64_t nowhere :
       {std::uint64_t{0}, std::uint64_t{0xffffffffc0900008}, std::uint64_t{1}, ~std::uint64_t{0}, std::uint64_t{7}}) {
    next(built_.modules[1].list, GuestVirt(nowhere));
    expect_break(2);
  }
  next(built_.modules[1].list, built_.modules[2].list);
  EXPECT_FALSE(list().problem) << "the same list when it is whole";
}

TEST_F(ModuleList, IntoTheMiddleOfAStructure) {
  next(built_.modules[0].list, built_.modules[1].list + 4);
  expect_break(1);
  // Where no structure can be, though all else is right there.
  const GuestVirt odd = built_.modules[1].data + 0x804;
  next(odd + 8, built_.modules[2].list);
  prev(odd + 8, built_.modules[0].list);
  memory_.put(odd + 24, std::uint8_t{'m'});
  next(built_.modules[0].list, odd + 8);
  expect_break(1);
}

TEST_F(ModuleList, AStructureThatDoesNotPointBack) {
  prev(built_.modules[3].list, built_.modules[1].list);
  expect_break(3);
}

TEST_F(ModuleList, NamesThatAreNone) {
  const GuestVirt name = built_.modules[1].data + 24;
  const auto with_name = [&](std::string text) {
    text.resize(56);
    memory_.put_bytes(name, std::as_bytes(std::span(text)));
  };
  for (const char* bad : {"", "two words", "esc\x1b[31m", "ol\xc3\xa9", "slash/y", "dot.ko"}) {
    with_name(bad);
    expect_break(1);
  }
  with_name(std::string(56, 'n'));
  expect_break(1);
  with_name(std::string("ab\0c", 4));  // what follows the name is zero in a structure that was loaded
  expect_break(1);
  with_name(std::string(55, 'n'));
  EXPECT_FALSE(list().problem);
}

TEST_F(ModuleList, AStateThatNoModuleHas) {
  memory_.put(built_.modules[2].data, std::uint32_t{4});
  expect_break(2);
  memory_.put(built_.modules[2].data, std::uint32_t{3});
  EXPECT_FALSE(list().problem);
}

TEST_F(ModuleList, AHeadThatCannotBeRead) {
  const ModuleListing listing = read_module_list(memory_, GuestVirt(0xffffffff90000000), 8);
  EXPECT_TRUE(listing.modules.empty());
  ASSERT_TRUE(listing.problem);
  EXPECT_NE(listing.problem->find("could not be read"), std::string::npos);
}

TEST_F(ModuleList, WithoutModules) {
  next(built_.head, built_.head);
  const ModuleListing listing = list();
  EXPECT_TRUE(listing.modules.empty());
  EXPECT_FALSE(listing.problem);
}

TEST_F(ModuleList, ThatNeverEnds) {
  // More modules than any guest has: the list is left where the bound is.
  FakeVirt memory;
  ModuleForm form;
  const BuiltModules built = test::build_modules(memory, form, 1);
  GuestVirt before = built.modules[0].list;
  for (unsigned i = 1; i < 4200; ++i) {
    const GuestVirt data(0xffffffffd0000000 + i * std::uint64_t{0x100});
    const std::string name = "m" + std::to_string(i);
    memory.put_bytes(data + 24, std::as_bytes(std::span(name)));
    test::put_word(memory, before, data.value + 8, 8);
    test::put_word(memory, data + 16, before.value, 8);
    before = data + 8;
  }
  const ModuleListing listing = read_module_list(memory, built.head, 8);
  EXPECT_EQ(listing.modules.size(), 4096U);
  EXPECT_TRUE(listing.problem);
}

/// The struct mod_kallsyms of module 1, changed.
class ModuleTables : public ModuleList {
 protected:
  static constexpr std::uint64_t kTable = 0x408;  // in the builder's form
  void symtab(std::uint64_t value) { memory_.put(built_.modules[1].data + kTable, value); }
  void count(std::uint32_t value) { memory_.put(built_.modules[1].data + kTable + 8, value); }
  void strtab(std::uint64_t value) { memory_.put(built_.modules[1].data + kTable + 16, value); }
  std::optional<CodeSymbol> symbol(std::uint64_t offset, std::size_t module = 1) {
    ModuleSymbols symbols(memory_, list().modules, 8, false);
    return symbols.symbol_at(built_.modules[module].text + offset);
  }
  /// Module 1 has no names; its neighbours do, and it is still known by its text.
  void expect_nameless() {
    EXPECT_FALSE(symbol(0x10));
    EXPECT_EQ(symbol(0x10, 0)->name, "first");
    EXPECT_EQ(symbol(0x10, 2)->name, "first");
    const auto modules = list().modules;
    ASSERT_EQ(modules.size(), 4U);
    EXPECT_EQ(modules[1].module.text_begin, built_.modules[1].text);
  }
};

TEST_F(ModuleTables, ThatDoNotFitTogetherAreNone) {
  count(5);  // the strings do not follow the fifth symbol
  expect_nameless();
  count(7);
  expect_nameless();
  count(0);
  expect_nameless();
  count(0xffffffff);
  expect_nameless();
}

TEST_F(ModuleTables, LyingNumbersOfSymbols) {
  // So many that strtab = symtab + count * 24 wraps round, made to fit.
  for (const std::uint32_t lie : {0xffffffffU, 0x80000000U, (1U << 20) + 1}) {
    count(lie);
    strtab(built_.modules[1].symtab.value + std::uint64_t{lie} * 24);
    expect_nameless();
    EXPECT_FALSE(list().modules[1].table);
  }
  // As many as are believed: the table ends in unreadable memory, and a bounded part of it is read.
  count(1U << 20);
  strtab(built_.modules[1].symtab.value + (std::uint64_t{1} << 20) * 24);
  EXPECT_TRUE(list().modules[1].table);
  const std::size_t before = memory_.reads;
  expect_nameless();
  EXPECT_LT(memory_.reads - before, 1000U);
}

TEST_F(ModuleTables, AMillionSymbolsAreReadInPart) {
  // A table that can be read and repeats itself: what is looked at is bounded by count, not by what memory holds.
  const GuestVirt everywhere(0xffffffffe0000000);
  for (std::uint64_t page = 0; page < (std::uint64_t{1} << 19) * 24; page += kXenPageSize) {
    memory_.touch(everywhere + page);
  }
  symtab(everywhere.value);
  count(1U << 19);
  strtab(everywhere.value + (std::uint64_t{1} << 19) * 24);
  // The symbol after the last that is looked at would be in the text.
  memory_.put(everywhere + (std::uint64_t{1} << 18) * 24, std::uint32_t{1});
  memory_.put(everywhere + (std::uint64_t{1} << 18) * 24 + 6, std::uint16_t{1});
  memory_.put(everywhere + (std::uint64_t{1} << 18) * 24 + 8, built_.modules[1].text.value);
  memory_.put(everywhere + (std::uint64_t{1} << 19) * 24 + 1, std::uint8_t{'x'});
  ASSERT_TRUE(list().modules[1].table);
  EXPECT_FALSE(symbol(0x10));
}

TEST_F(ModuleTables, InUnreadableMemory) {
  const std::uint64_t nowhere = 0xffffffffe0000000;
  symtab(nowhere);
  strtab(nowhere + 6 * 24);
  ASSERT_TRUE(list().modules[1].table);
  expect_nameless();
}

TEST_F(ModuleTables, StringsInUnreadableMemory) {
  // The third symbol's name is far away: the others stay.
  const GuestVirt third = built_.modules[1].symtab + 2 * std::uint64_t{24};
  memory_.put(third, std::uint32_t{0x7fffffff});
  EXPECT_FALSE(symbol(0x10)) << "`first` had that name";
  EXPECT_EQ(symbol(0x110)->name, "second");
}

TEST_F(ModuleTables, ANameWithoutEndIsCut) {
  const std::string endless(4096, 'n');
  const GuestVirt names(0xffffffffe0000000);
  memory_.put_bytes(names, std::as_bytes(std::span(endless)));
  memory_.put_bytes(names + 4096, std::as_bytes(std::span(endless)));
  const GuestVirt strings = built_.modules[1].symtab + 6 * std::uint64_t{24};
  memory_.put(built_.modules[1].symtab + 2 * std::uint64_t{24}, static_cast<std::uint32_t>(names - strings));
  const auto found = symbol(0x10);
  ASSERT_TRUE(found);
  EXPECT_LE(found->name.size(), 512U);
}

TEST_F(ModuleTables, TextThatIsNotNearItsStructureIsNone) {
  for (const std::uint64_t base : {std::uint64_t{0}, std::uint64_t{0x1000}, std::uint64_t{0xffffffffc0010001}}) {
    memory_.put(built_.modules[1].data + 0x140, base);
    const auto modules = list().modules;
    ASSERT_EQ(modules.size(), 4U);
    EXPECT_EQ(modules[1].module.text_begin, modules[1].module.text_end) << base;
    EXPECT_EQ(modules[2].module.text_begin, built_.modules[2].text);
  }
}

TEST_F(ModuleTables, WhereMembersAreIsWhatMostModulesAgreeOn) {
  // In one structure the same form comes earlier by chance.
  memory_.put(built_.modules[0].data + 0x60, built_.modules[0].text.value + 0x3000);
  memory_.put(built_.modules[0].data + 0x68, std::uint32_t{0x1000});
  memory_.put(built_.modules[0].data + 0x70, built_.modules[0].data.value);
  memory_.put(built_.modules[0].data + 0x78, std::uint32_t{0x1000});
  const auto modules = list().modules;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(modules[i].module.text_begin, built_.modules[i].text) << i;
  }
}

TEST_F(ModuleTables, AModuleOfImpossibleSizeIsNone) {
  memory_.put(built_.modules[1].data + 0x148, std::uint32_t{0xfffff000});
  const auto modules = list().modules;
  EXPECT_EQ(modules[1].module.text_begin, modules[1].module.text_end);
}

TEST(ModuleInit, AModuleThatIsJustLoadingHasInitTextToo) {
  for (const bool array : {true, false}) {
    FakeVirt memory;
    const BuiltModules built = test::build_modules(memory, {.array = array}, 3);
    const GuestVirt at = built.modules[1].data + (array ? 0x140 + 4 * 0x48 : 0x140 + 0x50);
    const std::uint64_t init = built.modules[1].text.value + 0x8000;
    memory.put(at, init);
    memory.put(at + 8, std::uint32_t{0x2000});
    memory.put(at + 12, std::uint32_t{0x2000});
    const auto modules = read_module_list(memory, built.head, 8).modules;
    ASSERT_EQ(modules.size(), 3U);
    EXPECT_EQ(modules[1].module.init_text_begin, GuestVirt(init)) << array;
    EXPECT_EQ(modules[1].module.init_text_end, GuestVirt(init + 0x2000)) << array;
    EXPECT_EQ(modules[2].module.init_text_begin, modules[2].module.init_text_end) << array;
  }
}

TEST(ModuleTables32, TheThumbBitIsNoPartOfAnAddress) {
  FakeVirt memory;
  const BuiltModules built = test::build_modules(memory, {.word_size = 4}, 2);
  const BuiltModule& module = built.modules[0];
  memory.put(module.symtab + 2 * 16 + 4, static_cast<std::uint32_t>(module.text.value + 1));
  auto modules = read_module_list(memory, built.head, 4).modules;
  EXPECT_FALSE(ModuleSymbols(memory, modules, 4, false).symbol_at(module.text));
  const auto symbol = ModuleSymbols(memory, modules, 4, true).symbol_at(module.text);
  ASSERT_TRUE(symbol);
  EXPECT_EQ(symbol->start, module.text);
}

/// The head of the list in a kernel without data symbols.
class ModuleHead : public testing::Test {
 protected:
  static constexpr std::uint64_t kCode = 0xffffffff81000000;
  static constexpr std::uint64_t kData = 0xffffffff82000000;
  static constexpr std::uint64_t kSize = 0x40000;

  ModuleHead() {
    cpu_.translations.push_back(std::make_shared<test::IdentityTranslation>(
        [](std::uint64_t va) { return va >= kData && va < kData + kSize; }));
    for (std::uint64_t page = 0; page < kSize; page += kXenPageSize) {
      memory_.touch(GuestVirt(kData + page));
    }
  }
  std::optional<GuestVirt> find() {
    PageProbe probe(physical_, std::span(&cpu_, 1));
    return find_module_head(probe, memory_, {x86_64_ops(), GuestVirt(kCode), GuestVirt(kData)});
  }

  CpuState cpu_;
  test::FakePhys physical_;
  FakeVirt memory_;
};

TEST_F(ModuleHead, IsFoundByItsForm) {
  const BuiltModules built = test::build_modules(memory_, {}, 3);  // its head is at kData + 0x100
  EXPECT_EQ(find(), built.head);
}

TEST_F(ModuleHead, AnotherListIsNotTaken) {
  const BuiltModules built = test::build_modules(memory_, {}, 3);
  // Pointers to modules that no list head is: variables that point to one module, and a list of another kind.
  memory_.put(GuestVirt(kData + 0x80), built.modules[1].list.value);
  memory_.put(GuestVirt(kData + 0x88), built.modules[2].list.value);
  memory_.put(GuestVirt(kData + 0x40), built.modules[0].list.value);
  memory_.put(GuestVirt(kData + 0x48), built.modules[2].list.value);
  EXPECT_EQ(find(), built.head);
  test::put_word(memory_, built.modules[2].list, kData + 0x200, 8);  // the last one does not lead back
  EXPECT_FALSE(find());
  memory_.put(GuestVirt(kData + 0x200), built.modules[1].list.value);  // but here, where the first one does not
  memory_.put(GuestVirt(kData + 0x208), built.modules[2].list.value);
  EXPECT_FALSE(find());
  memory_.put(GuestVirt(kData + 0x200), built.modules[0].list.value);
  test::put_word(memory_, built.modules[0].list + 8, kData + 0x200, 8);
  EXPECT_EQ(find(), GuestVirt(kData + 0x200));
}

TEST_F(ModuleHead, AListWithinTheKernelsOwnDataIsNone) {
  const GuestVirt structure(kData + 0x800);
  test::put_word(memory_, structure + 8, kData + 0x300, 8);
  test::put_word(memory_, structure + 16, kData + 0x300, 8);
  memory_.put(structure + 24, std::uint32_t{0x636261});
  test::put_word(memory_, GuestVirt(kData + 0x300), structure.value + 8, 8);
  test::put_word(memory_, GuestVirt(kData + 0x308), structure.value + 8, 8);
  EXPECT_FALSE(find());
}

TEST_F(ModuleHead, WithoutModulesThereIsNothingToFind) {
  EXPECT_FALSE(find());
  memory_.put(GuestVirt(kData + 0x100), std::uint64_t{kData + 0x100});
  memory_.put(GuestVirt(kData + 0x108), std::uint64_t{kData + 0x100});
  EXPECT_FALSE(find());
}

TEST_F(ModuleHead, AHostileKernelOfNothingButPointersEnds) {
  const BuiltModules built = test::build_modules(memory_, {}, 2);
  for (std::uint64_t at = kData; at < kData + kSize; at += 8) {
    memory_.put(GuestVirt(at), built.modules[0].list.value);
  }
  const std::size_t before = memory_.reads;
  EXPECT_FALSE(find());
  EXPECT_LT(memory_.reads - before, 20000U);
}

}  // namespace
}  // namespace xstack
