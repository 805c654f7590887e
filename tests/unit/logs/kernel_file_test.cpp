// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/kernel_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "logs/file_image.h"
#include "tests/support/elf_builder.h"
#include "tests/unit/guest/scratch_directory.h"

namespace xstack {
namespace {

using logs::KernelFile;

class KernelFiles : public testing::Test {
 protected:
  std::unique_ptr<KernelFile> open(const std::string& text) {
    const std::string path = scratch_.file("symbols");
    std::ofstream(path, std::ios::binary) << text;
    auto file = KernelFile::open(path, {});
    return file ? std::move(*file) : nullptr;
  }
  test::ScratchDirectory scratch_;
};

TEST_F(KernelFiles, OfSeveralFunctionsOfANameTheOneOfTheSizeIsMeant) {
  const auto file = open(
      "ffffffff81000000 T _stext\nffffffff81001000 t init\nffffffff81001040 t other\nffffffff81002000 t init\n"
      "ffffffff81002100 T last\nffffffff81003000 T _etext\n");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->address_of("init", 0x10, 0x40), 0xffffffff81001000);
  EXPECT_EQ(file->address_of("init", 0x10, 0x100), 0xffffffff81002000);
  EXPECT_FALSE(file->address_of("init", 0x10, std::nullopt));
  EXPECT_FALSE(file->address_of("absent", 0, 0x10));
  EXPECT_EQ(file->address_of("other", 0x10, 0xfc0), 0xffffffff81001040);
  EXPECT_FALSE(file->only_address_of("init"));
  EXPECT_EQ(file->only_address_of("other"), 0xffffffff81001040);
}

TEST_F(KernelFiles, AnOffsetBehindTheEndIsAnotherKernels) {
  const auto file = open("c0000000 T _stext\nc0001000 T f\nc0001100 T g\nc0002000 T _etext\n");
  ASSERT_NE(file, nullptr);
  EXPECT_FALSE(file->address_of("f", 0x200, 0x100));
}

TEST_F(KernelFiles, ASymbolThatIsLargerThanTheLogSaysIsNot) {
  const auto image = test::build_elf(EM_AARCH64, {{"f", 0xffff800008001000, 0x100}, {"g", 0xffff800008002000, 0x10}});
  const auto file = open(std::string(reinterpret_cast<const char*>(image.data()), image.size()));
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->arch(), ArchId::arm64);
  EXPECT_EQ(file->address_of("f", 0x10, 0x104), 0xffff800008001000);
  EXPECT_FALSE(file->address_of("f", 0x10, 0x80));
}

TEST_F(KernelFiles, ManyNamesAreFoundThroughAnIndex) {
  std::string text = "c0000000 T _stext\n";
  for (unsigned i = 0; i < 100; ++i) {
    text += "c00" + std::to_string(10000 + i * 16) + " T f" + std::to_string(i) + "\n";
  }
  const auto file = open(text);
  ASSERT_NE(file, nullptr);
  for (unsigned i = 0; i < 100; ++i) {
    EXPECT_EQ(file->only_address_of("f" + std::to_string(i)),
              std::stoull("c00" + std::to_string(10000 + i * 16), nullptr, 16));
    EXPECT_FALSE(file->only_address_of("g" + std::to_string(i)));
  }
}

TEST(FileImage, HasNothingOfWhatIsNoElfFile) {
  const std::vector<std::byte> bytes(100, std::byte{0x7f});
  const logs::FileImage image(bytes);
  EXPECT_TRUE(image.at(0xffff800008000000, 8).empty());
  EXPECT_EQ(image.begin(), 0U);
  EXPECT_EQ(image.end(), 0U);
}

TEST(FileImage, TruncatedSegmentsAreNot) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof header;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 3;
  std::array<Elf64_Phdr, 3> segments{};
  for (auto& segment : segments) {
    segment.p_type = PT_LOAD;
  }
  segments[0].p_vaddr = 0xffffffff81000000;
  segments[0].p_filesz = 16;
  segments[1].p_vaddr = 0xffffffff82000000;
  segments[1].p_filesz = ~std::uint64_t{0};  // a lie
  segments[2].p_vaddr = 0;                   // per-CPU variables
  segments[2].p_filesz = 16;
  std::vector<std::byte> bytes(sizeof header + sizeof segments);
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, segments.data(), sizeof segments);
  const logs::FileImage image(bytes);
  EXPECT_EQ(image.at(0xffffffff81000008, 100).size(), 8U);
  EXPECT_EQ(image.at(0xffffffff81000000, 4)[1], std::byte{'E'});
  EXPECT_TRUE(image.at(0xffffffff82000000, 4).empty());
  EXPECT_TRUE(image.at(0, 4).empty());
  EXPECT_EQ(image.begin(), 0xffffffff81000000);
  EXPECT_EQ(image.end(), 0xffffffff81000010);
}

}  // namespace
}  // namespace xstack
