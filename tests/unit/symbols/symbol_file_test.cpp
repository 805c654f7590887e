// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/symbol_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/elf_builder.h"
#include "tests/unit/guest/scratch_directory.h"

namespace xstack {
namespace {

using testing::HasSubstr;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(SymbolFile, TextAndElfAreToldApartByTheirBytes) {
  const test::ScratchDirectory directory;
  const auto map =
      read_symbol_file(directory.write("vmlinux", bytes_of("c0008000 T a\nc0008100 T b\n")), ArchId::arm32);
  ASSERT_TRUE(map) << map.error().message;
  EXPECT_EQ(map->kind, "System.map");
  EXPECT_EQ(map->table.address_of("b"), 0xc0008100U);
  const auto elf =
      read_symbol_file(directory.write("System.map", test::build_elf(EM_X86_64, {{"f", 0x1000, 4}})), ArchId::x86_64);
  ASSERT_TRUE(elf) << elf.error().message;
  EXPECT_EQ(elf->kind, "vmlinux");
  EXPECT_EQ(elf->table.address_of("f"), 0x1000U);
}

TEST(SymbolFile, ErrorsNameTheFile) {
  const test::ScratchDirectory directory;
  const auto nothing = read_symbol_file(directory.file("absent"), ArchId::arm32);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Errc::io);
  EXPECT_THAT(nothing.error().message, HasSubstr("absent"));
  const auto wrong = read_symbol_file(directory.write("poem", bytes_of("be a poet\n")), ArchId::arm32);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("poem"));
  EXPECT_FALSE(read_symbol_file(directory.write("empty", {}), ArchId::arm32));
  EXPECT_FALSE(read_symbol_file(directory.path().string(), ArchId::arm32)) << "a directory";
}

}  // namespace
}  // namespace xstack
