// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/boot_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "linux/call_targets.h"
#include "linux/kernel_code.h"
#include "linux/physical_kernel.h"
#include "symbols/symbol_table.h"
#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kRam = 0x40000000;
constexpr std::uint64_t kImage = kRam + 0x8000;
constexpr std::uint64_t kPayload = 0x3120;

/// Code that repeats nowhere.
void fill(test::FakePhys& memory, std::uint64_t at, std::uint64_t bytes, std::uint32_t seed) {
  for (std::uint64_t i = 0; i < bytes; i += 4) {
    seed = seed * 1664525U + 1013904223U;
    memory.put(GuestPhys(at + i), seed | 0x80);
  }
}

void put_zimage(test::FakePhys& memory) {
  fill(memory, kImage, 0x20000, 1);
  memory.put(GuestPhys(kImage + 0x24), std::uint32_t{0x016f2818});
  memory.put(GuestPhys(kImage + 0x28), std::uint32_t{0});
  memory.put(GuestPhys(kImage + 0x2c), std::uint32_t{0x20000});
  const std::array<std::uint8_t, 6> xz = {0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00};
  memory.put_bytes(GuestPhys(kImage + kPayload), std::as_bytes(std::span(xz)));
}

std::optional<BootImage> find(PhysMemory& memory, ArchId arch, std::uint64_t begin = kRam) {
  const std::array ram = {FrameRange{GuestPhys(begin), 256}};
  return find_boot_image(memory, arch, ram);
}

TEST(BootImage, AZimageWithItsCompressedKernel) {
  test::FakePhys memory;
  put_zimage(memory);
  const auto image = find(memory, ArchId::arm32);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->kind, BootImage::Kind::zimage);
  EXPECT_EQ(image->begin, GuestPhys(kImage));
  EXPECT_EQ(image->size, 0x20000U);
  EXPECT_EQ(image->code, kPayload);
  EXPECT_FALSE(find(memory, ArchId::arm64));
}

TEST(BootImage, TheDecompressorInItsPlaceAndMoved) {
  test::FakePhys memory;
  put_zimage(memory);
  const auto image = find(memory, ArchId::arm32);
  ASSERT_TRUE(image);
  EXPECT_THAT(in_decompressor(memory, *image, GuestPhys(kImage + 0x100)).value_or(""), HasSubstr("0x100 bytes into"));
  EXPECT_FALSE(in_decompressor(memory, *image, GuestPhys(kImage + kPayload + 0x40)));
  // Out of the way, as it does before it unpacks.
  std::array<std::byte, 0x200> part{};
  ASSERT_TRUE(memory.read(GuestPhys(kImage + 0x800), part));
  memory.put_bytes(GuestPhys(kRam + 0x80000), part);
  EXPECT_THAT(in_decompressor(memory, *image, GuestPhys(kRam + 0x80010)).value_or(""),
              HasSubstr("a copy of what is 0x810 bytes into the zImage"));
  memory.touch(GuestPhys(kRam + 0x90000));
  EXPECT_FALSE(in_decompressor(memory, *image, GuestPhys(kRam + 0x90010)));  // zeros are nobody's code
  EXPECT_FALSE(in_decompressor(memory, *image, GuestPhys(0xc)));
}

TEST(BootImage, AHeaderWithoutACompressedKernelIsNoDecompressor) {
  test::FakePhys memory;
  fill(memory, kImage, 0x20000, 5);
  memory.put(GuestPhys(kImage + 0x24), std::uint32_t{0x016f2818});
  memory.put(GuestPhys(kImage + 0x28), std::uint32_t{0});
  memory.put(GuestPhys(kImage + 0x2c), std::uint32_t{0x20000});
  const auto image = find(memory, ArchId::arm32);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->code, 0U);
  EXPECT_FALSE(in_decompressor(memory, *image, GuestPhys(kImage + 0x100)));
  // Sizes that make no sense are no header.
  memory.put(GuestPhys(kImage + 0x2c), std::uint32_t{0xffffffff});
  EXPECT_FALSE(find(memory, ArchId::arm32));
  memory.put(GuestPhys(kImage + 0x28), std::uint32_t{0xffffffff});
  EXPECT_FALSE(find(memory, ArchId::arm32));
}

TEST(BootImage, Arm64AndX86) {
  test::FakePhys memory;
  memory.put(GuestPhys(kRam + 0x80000 + 0x10), std::uint64_t{0x1e00000});
  memory.put(GuestPhys(kRam + 0x80000 + 0x38), std::uint32_t{0x644d5241});
  memory.touch(GuestPhys(kRam + 0x80000));
  const auto image = find(memory, ArchId::arm64);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->kind, BootImage::Kind::image);
  EXPECT_EQ(image->begin, GuestPhys(kRam + 0x80000));
  EXPECT_FALSE(in_decompressor(memory, *image, GuestPhys(kRam + 0x80100)));

  test::FakePhys low;
  low.put(GuestPhys(0x901fe), std::uint16_t{0xaa55});
  low.put(GuestPhys(0x90202), std::uint32_t{0x53726448});
  low.put(GuestPhys(0x90214), std::uint32_t{0x100000});
  low.put(GuestPhys(0x901f4), std::uint32_t{0x10000});
  low.put(GuestPhys(0x90248), std::uint32_t{0x2c4});
  fill(low, 0x100000, 0x1000, 3);
  const auto big = find(low, ArchId::x86_64, 0);
  ASSERT_TRUE(big);
  EXPECT_EQ(big->kind, BootImage::Kind::bzimage);
  EXPECT_THAT(in_decompressor(low, *big, GuestPhys(0x100200)).value_or(""), HasSubstr("bzImage at physical 0x100000"));
}

TEST(BootImage, MostOfABzImagesCodeIsBehindItsCompressedKernel) {
  test::FakePhys low;
  low.put(GuestPhys(0x901fe), std::uint16_t{0xaa55});
  low.put(GuestPhys(0x90202), std::uint32_t{0x53726448});
  low.put(GuestPhys(0x90214), std::uint32_t{0x100000});
  low.put(GuestPhys(0x901f4), std::uint32_t{0x8000 / 16});
  low.put(GuestPhys(0x90248), std::uint32_t{0x2c4});
  low.put(GuestPhys(0x9024c), std::uint32_t{0x6000 - 0x2c4});
  fill(low, 0x100000, 0x8000, 3);
  fill(low, 0x4f02000, 0x2000, 4);
  for (std::uint64_t i = 0; i < 0x2000; i += 4) {  // it moved up before it unpacks
    low.put(GuestPhys(0x4f06000 + i), low.read_value<std::uint32_t>(GuestPhys(0x106000 + i)).value());
  }
  const auto image = find(low, ArchId::x86_64, 0);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->rest, 0x6000U);
  EXPECT_THAT(in_decompressor(low, *image, GuestPhys(0x107001)).value_or(""), HasSubstr("pc is 0x7001 bytes into"));
  EXPECT_THAT(in_decompressor(low, *image, GuestPhys(0x4f07001)).value_or(""), HasSubstr("0x7001 bytes into"));
  EXPECT_FALSE(in_decompressor(low, *image, GuestPhys(0x103000)));   // the compressed kernel
  EXPECT_FALSE(in_decompressor(low, *image, GuestPhys(0x4f03000)));  // somebody else's code
  EXPECT_FALSE(in_decompressor(low, *image, GuestPhys(0x108000)));   // behind the image
  low.put(GuestPhys(0x9024c), std::uint32_t{0x8000});                // longer than the image
  EXPECT_EQ(find(low, ArchId::x86_64, 0)->rest, 0U);
}

/// 64 functions at odd distances, and a page of calls to them.
struct Program {
  std::vector<std::uint64_t> functions;
  std::vector<std::uint64_t> moved;
};
Program program(std::uint64_t offset, std::uint64_t mask) {
  Program p;
  std::uint32_t seed = 7;
  for (std::uint64_t at = 0xc0208000, i = 0; i < 64; ++i) {
    seed = seed * 1664525U + 1013904223U;
    at += 0x40 + (seed >> 8 & 0xff0);
    p.functions.push_back(at);
    p.moved.push_back((at + offset) & mask);
  }
  return p;
}

constexpr std::uint64_t kCalls = 0x40230000;

TEST(CallTargets, Arm32CallsSayWhereTheCodeLies) {
  const auto p = program(0x40208000 - 0xc0208000ULL, 0xffffffff);
  test::FakeVirt memory;
  memory.touch(GuestVirt(kCalls));
  for (std::size_t i = 0; i < 48; ++i) {
    const std::uint64_t at = kCalls + 8 * i;
    memory.put(GuestVirt(at), static_cast<std::uint32_t>(0xeb000000 | ((p.moved[i] - at - 8) >> 2 & 0xffffff)));
  }
  const std::array pages = {GuestVirt(0x1000), GuestVirt(kCalls)};
  const auto placed = place_by_calls(memory, ArchId::arm32, pages, p.functions);
  ASSERT_TRUE(placed);
  EXPECT_EQ(placed->offset, 0x80000000U);
  EXPECT_EQ(placed->agree, 48U);
  EXPECT_EQ(placed->calls, 48U);
}

TEST(CallTargets, Arm64AndX86) {
  const auto p = program(0x40208000 - 0xc0208000ULL, ~0ULL);
  test::FakeVirt memory;
  test::FakeVirt x86;
  memory.touch(GuestVirt(kCalls));
  x86.touch(GuestVirt(kCalls));
  for (std::size_t i = 0; i < 48; ++i) {
    const std::uint64_t at = kCalls + 8 * i;
    memory.put(GuestVirt(at), static_cast<std::uint32_t>(0x94000000 | ((p.moved[i] - at) >> 2 & 0x3ffffff)));
    x86.put(GuestVirt(at), std::uint8_t{0xe8});
    x86.put(GuestVirt(at + 1), static_cast<std::uint32_t>(p.moved[i] - at - 5));
  }
  const std::array pages = {GuestVirt(kCalls)};
  EXPECT_EQ(place_by_calls(memory, ArchId::arm64, pages, p.functions)->offset, 0x40208000 - 0xc0208000ULL);
  EXPECT_EQ(place_by_calls(x86, ArchId::x86_64, pages, p.functions)->offset, 0x40208000 - 0xc0208000ULL);
  EXPECT_FALSE(place_by_calls(memory, ArchId::x86_64, pages, p.functions));
}

TEST(CallTargets, AnotherKernelsCallsSayNothing) {
  const auto p = program(0, ~0ULL);
  test::FakeVirt memory;
  std::uint32_t seed = 99;
  for (std::size_t i = 0; i < 512; ++i) {
    seed = seed * 1664525U + 1013904223U;
    memory.put(GuestVirt(kCalls + 8 * i), static_cast<std::uint32_t>(0x94000000 | (seed >> 8 & 0xffff)));
  }
  const std::array pages = {GuestVirt(kCalls)};
  EXPECT_FALSE(place_by_calls(memory, ArchId::arm64, pages, p.functions));
  EXPECT_FALSE(place_by_calls(memory, ArchId::arm64, pages, {}));
}

TEST(KernelCode, ACpuThatStillRunsAtPhysicalAddressesHasNames) {
  SymbolTable table;
  table.add(0xc0208000, 0x40, 'T', "secondary_startup");
  table.add(0xc0209000, 0x40, 'T', "next");
  table.sort();
  KernelCode code;
  code.sources.push_back(std::make_unique<FileSymbols>(std::move(table), "map", 0));
  code.text = {{GuestVirt(0xc0208000), GuestVirt(0xc0300000)}};
  EXPECT_EQ(code.is_code(GuestVirt(0x40208010)), false);
  EXPECT_FALSE(code.function_at(GuestVirt(0x40208010)));
  code.physical_offset = 0x40208000 - 0xc0208000ULL;
  EXPECT_EQ(code.is_code(GuestVirt(0x40208010)), true);
  const auto symbol = code.function_at(GuestVirt(0x40208010));
  ASSERT_TRUE(symbol);
  EXPECT_EQ(symbol->name, "secondary_startup");
  EXPECT_EQ(symbol->start, GuestVirt(0x40208000));  // so that the offset is right
  EXPECT_EQ(code.function_at(GuestVirt(0xc0208010))->start, GuestVirt(0xc0208000));
  EXPECT_EQ(code.is_code(GuestVirt(0x40300000)), false);
}

TEST(PhysicalKernel, AnArm32KernelMustLieWhole2MiBFromItsLinkAddress) {
  const auto why = why_misplaced(ArchId::arm32, GuestPhys(0x40500000), GuestVirt(0xc0400000));
  ASSERT_TRUE(why);
  EXPECT_EQ(why->substr(0, 15), "0x100000 bytes ");
  EXPECT_FALSE(why_misplaced(ArchId::arm32, GuestPhys(0x40400000), GuestVirt(0xc0400000)));
  EXPECT_FALSE(why_misplaced(ArchId::arm32, GuestPhys(0x40600000), GuestVirt(0xc0400000)));
  EXPECT_FALSE(why_misplaced(ArchId::arm32, GuestPhys(0x40500000), std::nullopt));
  EXPECT_FALSE(why_misplaced(ArchId::arm64, GuestPhys(0x40500000), GuestVirt(0xffff800008000000)));
}

}  // namespace
}  // namespace xstack
