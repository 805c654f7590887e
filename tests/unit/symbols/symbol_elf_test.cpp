// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "symbols/symbol_file.h"
#include "tests/support/elf_builder.h"

namespace xstack {
namespace {

using test::build_elf;
using test::Elf32Image;
using test::ElfSymbol;
using testing::HasSubstr;

std::vector<ElfSymbol> some() {
  return {{"a_file", 0, 0, STT_FILE, STB_LOCAL, SHN_ABS},
          {"_text", 0xffffffff81000000, 0, STT_NOTYPE, STB_GLOBAL, 1},
          {"f", 0xffffffff81000100, 0x20, STT_FUNC, STB_GLOBAL, 1},
          {"f_weak", 0xffffffff81000100, 0x20, STT_FUNC, STB_WEAK, 1},
          {"undefined", 0xffffffff81000180, 0, STT_FUNC, STB_GLOBAL, SHN_UNDEF},
          {"a_section", 0xffffffff81000180, 0, STT_SECTION, STB_LOCAL, 1},
          {"thread", 0xffffffff81000180, 8, STT_TLS, STB_GLOBAL, 1},
          {"constant", 0xffffffff81000180, 0, STT_NOTYPE, STB_GLOBAL, SHN_ABS},
          {"g", 0xffffffff81000200, 0x10, STT_FUNC, STB_LOCAL, 1}};
}

TEST(SymbolElf, Functions) {
  const auto table = parse_elf_symbols(build_elf(EM_X86_64, some()), ArchId::x86_64);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->size(), 5U);
  const auto symbol = table->symbol_at(0xffffffff81000110);
  ASSERT_TRUE(symbol);
  EXPECT_EQ(symbol->name, "f");
  EXPECT_EQ(table->symbol_at(0xffffffff8100020f)->name, "g");
  EXPECT_FALSE(table->symbol_at(0xffffffff81000210)) << "the last one has a size";
  EXPECT_FALSE(table->address_of("undefined"));
  EXPECT_FALSE(table->address_of("thread"));
  EXPECT_FALSE(table->symbol_at(0xffffffff81000184)) << "a constant is no code";
}

TEST(SymbolElf, ThirtyTwoBitsAndThumb) {
  const auto image =
      build_elf<Elf32Image>(EM_ARM, {{"arm", 0xc0100000, 4}, {"thumb", 0xc0100005, 8}, {"$t", 0xc0100004}});
  const auto table = parse_elf_symbols(image, ArchId::arm32);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->address_of("thumb"), 0xc0100004U);
  EXPECT_EQ(table->symbol_at(0xc010000b)->name, "thumb");
  EXPECT_EQ(table->size(), 2U);
}

TEST(SymbolElf, DynamicSymbolsWhenThereAreNoOthers) {
  const auto table = parse_elf_symbols(build_elf(EM_AARCH64, {{"f", 0x1000, 4}}, SHT_DYNSYM), ArchId::arm64);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->address_of("f"), 0x1000U);
}

TEST(SymbolElf, AnotherMachineIsRefusedByName) {
  const auto table = parse_elf_symbols(build_elf(EM_X86_64, some()), ArchId::arm64);
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, Errc::unsupported);
  EXPECT_THAT(table.error().message, HasSubstr("arm64"));
}

TEST(SymbolElf, WithoutSymbolsIsSaidToBeStripped) {
  for (const auto& image : {build_elf(EM_X86_64, some(), SHT_PROGBITS), build_elf(EM_X86_64, {})}) {
    const auto table = parse_elf_symbols(image, ArchId::x86_64);
    ASSERT_FALSE(table);
    EXPECT_EQ(table.error().code, Errc::not_found);
    EXPECT_THAT(table.error().message, HasSubstr("stripped"));
  }
}

TEST(SymbolElf, NoElf) {
  EXPECT_FALSE(parse_elf_symbols({}, ArchId::x86_64));
  const std::vector<std::byte> noise(64, std::byte{0x7f});
  EXPECT_FALSE(parse_elf_symbols(noise, ArchId::x86_64));
}

TEST(SymbolElf, CutShortAnywhere) {
  const auto whole = build_elf(EM_X86_64, some());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto table = parse_elf_symbols(cut, ArchId::x86_64);
    if (table) {
      EXPECT_LE(table->size(), 5U) << size;
    }
  }
}

/// `some()` with one member of section header `section` changed.
template <class T>
Result<SymbolTable> spoiled(unsigned section, std::size_t member, T value) {
  auto image = build_elf(EM_X86_64, some());
  std::memcpy(image.data() + sizeof(Elf64_Ehdr) + section * sizeof(Elf64_Shdr) + member, &value, sizeof value);
  return parse_elf_symbols(image, ArchId::x86_64);
}

TEST(SymbolElf, LyingSections) {
  for (const std::uint64_t lie : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{25}, std::uint64_t{0x7fffffff},
                                  std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    for (const unsigned section : {1U, 2U}) {
      for (const std::size_t member : {offsetof(Elf64_Shdr, sh_size), offsetof(Elf64_Shdr, sh_offset),
                                       offsetof(Elf64_Shdr, sh_entsize), offsetof(Elf64_Shdr, sh_addralign)}) {
        const auto table = spoiled(section, member, lie);
        if (table) {
          EXPECT_LE(table->size(), 5U) << section << " " << member << " " << lie;
        }
      }
    }
  }
  EXPECT_FALSE(spoiled(1, offsetof(Elf64_Shdr, sh_size), ~std::uint64_t{0}));
  EXPECT_FALSE(spoiled(1, offsetof(Elf64_Shdr, sh_entsize), std::uint64_t{0}));
  EXPECT_FALSE(spoiled(1, offsetof(Elf64_Shdr, sh_link), std::uint32_t{77})) << "strings from no section";
  EXPECT_FALSE(spoiled(1, offsetof(Elf64_Shdr, sh_link), std::uint32_t{1})) << "strings from no string table";
}

}  // namespace
}  // namespace xstack
