// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/code_data.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace xstack {
namespace {

std::vector<std::uint64_t> pages(ArchId arch, std::uint64_t at, const std::vector<std::uint32_t>& words,
                                 std::uint64_t begin, std::uint64_t end) {
  const CodePiece code{GuestVirt(at), std::as_bytes(std::span(words))};
  std::vector<std::uint64_t> found;
  for (const GuestVirt page : pages_named_by_code(arch, code, GuestVirt(begin), GuestVirt(end))) {
    found.push_back(page.value);
  }
  return found;
}

using Pages = std::vector<std::uint64_t>;

TEST(PagesNamedByCode, Arm64) {
  // nop; adrp x0, . + 0x1203000; adrp x1, . - 0x1000 (outside); ret
  const std::vector<std::uint32_t> code = {0xd503201f, 0xf0009000, 0xf0ffffe1, 0xd65f03c0};
  EXPECT_EQ(pages(ArchId::arm64, 0xffff800008100ff8, code, 0xffff800009000000, 0xffff80000b000000),
            (Pages{0xffff800009303000, 0xffff800009304000}));
}

TEST(PagesNamedByCode, Arm32ByHalvesAndLiterals) {
  // movw r3, #0x5678; movw r2, #0; movt r3, #0xc134; movt r2, #0xc020 (outside); bx lr; a literal
  const std::vector<std::uint32_t> code = {0xe3053678, 0xe3002000, 0xe34c3134, 0xe34c2020, 0xe12fff1e, 0xc1600010};
  EXPECT_EQ(pages(ArchId::arm32, 0xc0400000, code, 0xc1200000, 0xc2000000),
            (Pages{0xc1345000, 0xc1346000, 0xc1600000, 0xc1601000}));
}

TEST(PagesNamedByCode, X86RelativeAndAbsolute) {
  // nop; mov rax, [rip + 0x1000ff9]; mov rax, [abs 0xffffffff82345678]
  std::vector<std::uint32_t> words(5, 0x90909090);
  auto* bytes = reinterpret_cast<unsigned char*>(words.data());
  const unsigned char code[] = {0x90, 0x48, 0x8b, 0x05, 0xf9, 0x0f, 0x00, 0x01,
                                0x48, 0x8b, 0x04, 0x25, 0x78, 0x56, 0x34, 0x82};
  std::memcpy(bytes, code, sizeof code);
  EXPECT_EQ(pages(ArchId::x86_64, 0xffffffff81000000, words, 0xffffffff82000000, 0xffffffff82400000),
            (Pages{0xffffffff82001000, 0xffffffff82002000, 0xffffffff82345000, 0xffffffff82346000}));
  EXPECT_EQ(pages(ArchId::x86_32, 0xc1000000, words, 0x82000000, 0x82400000), (Pages{0x82345000, 0x82346000}));
}

TEST(PagesNamedByCode, StaysInRange) {
  const std::vector<std::uint32_t> literals = {0xc11ff000, 0xc11fe000, 0xc1fff000, 0xc2000000, 0xffffffff, 0};
  EXPECT_EQ(pages(ArchId::arm32, 0xc0400000, literals, 0xc1200000, 0xc2000000), (Pages{0xc1200000, 0xc1fff000}));
  EXPECT_TRUE(pages(ArchId::arm32, 0xc0400000, {}, 0xc1200000, 0xc2000000).empty());
}

}  // namespace
}  // namespace xstack
