// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/vmcoreinfo.h"

#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

constexpr std::string_view kText =
    "OSRELEASE=6.1.0-50-arm64\n"
    "BUILD-ID=0123456789abcdef0123456789abcdef01234567\n"
    "PAGESIZE=4096\n"
    "SYMBOL(init_uts_ns)=ffff800081a00000\n"
    "SYMBOL(swapper_pg_dir)=0xffff800081b00000\n"
    "NUMBER(VA_BITS)=48\n"
    "NUMBER(kimage_voffset)=0xffff7fffc0000000\n"
    "NUMBER(phys_base)=-2097152\n"
    "KERNELOFFSET=1e200000\n"
    "LAST=without a newline";

TEST(VmcoreinfoText, Values) {
  const auto info = Vmcoreinfo::parse(kText);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->release(), "6.1.0-50-arm64");
  EXPECT_EQ(info->build_id(), "0123456789abcdef0123456789abcdef01234567");
  EXPECT_EQ(info->value("PAGESIZE"), "4096");
  EXPECT_EQ(info->symbol("init_uts_ns"), GuestVirt(0xffff800081a00000));
  EXPECT_EQ(info->symbol("swapper_pg_dir"), GuestVirt(0xffff800081b00000));
  EXPECT_EQ(info->number("VA_BITS"), 48U);
  EXPECT_EQ(info->number("kimage_voffset"), 0xffff7fffc0000000U);
  EXPECT_EQ(info->number("phys_base"), std::uint64_t{0} - 2097152);
  EXPECT_EQ(info->kernel_offset(), 0x1e200000U);
  EXPECT_EQ(info->value("LAST"), "without a newline");
  EXPECT_FALSE(info->value("PAGE"));
  EXPECT_FALSE(info->value("AGESIZE"));
  EXPECT_FALSE(info->value(""));
  EXPECT_FALSE(info->symbol("nothing"));
  EXPECT_FALSE(info->number("init_uts_ns"));
}

TEST(VmcoreinfoText, IsToldByItsFirstLineAndItsPageSize) {
  for (const std::string_view text :
       {"", "OSRELEASE=", "OSRELEASE=\nPAGESIZE=4096\n", "OSRELEASE=6.1\n", "PAGESIZE=4096\nOSRELEASE=6.1\n",
        "OSRELEASE=six\nPAGESIZE=4096\n", "OSRELEASE=6.1 x\nPAGESIZE=4096\n", "OSRELEASE=6.1\x1b[31m\nPAGESIZE=4096\n",
        "OSRELEASE=6.1\r\nPAGESIZE=4096\r\n", "xOSRELEASE=6.1\nPAGESIZE=4096\n"}) {
    EXPECT_FALSE(Vmcoreinfo::parse(text)) << text;
  }
  EXPECT_TRUE(Vmcoreinfo::parse("OSRELEASE=6.1\nPAGESIZE=4096\n"));
  EXPECT_FALSE(Vmcoreinfo::parse("OSRELEASE=" + std::string(65, '6') + "\nPAGESIZE=4096\n"));
  EXPECT_FALSE(Vmcoreinfo::parse(std::string_view("OSRELEASE=6.1\n\0PAGESIZE=4096\n", 29))) << "it ends at a NUL";
}

/// A text whose line `line` is that.
Vmcoreinfo with(const std::string& line) {
  auto info = Vmcoreinfo::parse("OSRELEASE=6.1\nPAGESIZE=4096\n" + line + "\n");
  EXPECT_TRUE(info);
  return info.value();
}

TEST(VmcoreinfoText, NumbersThatAreNone) {
  for (const char* number : {"", "-", "--1", "+1", "0x", "0xg", " 1", "1 ", "1x", "18446744073709551616",
                             "0x10000000000000000", "99999999999999999999999"}) {
    EXPECT_FALSE(with(std::string("NUMBER(n)=") + number).number("n")) << number;
    EXPECT_FALSE(with(std::string("KERNELOFFSET=") + number + "!").kernel_offset()) << number;
  }
  EXPECT_FALSE(with("SYMBOL(s)=-1").symbol("s"));
  EXPECT_FALSE(with("SYMBOL(s)=ffff8000g").symbol("s"));
  EXPECT_FALSE(with("SYMBOL(s=1").symbol("s"));
  EXPECT_FALSE(with("SYMBOL(s)").symbol("s"));
  EXPECT_EQ(with("NUMBER(n)=18446744073709551615").number("n"), ~std::uint64_t{0});
  EXPECT_EQ(with("SYMBOL(s)=FFFF").symbol("s"), GuestVirt(0xffff));
}

TEST(VmcoreinfoText, BuildIdsThatAreNone) {
  for (const char* id :
       {"", "0123", "0123456789abcdeg", "0123456789ABCDEF", "0123456789abcdef0", "0123456789abcde\x1b"}) {
    EXPECT_FALSE(with(std::string("BUILD-ID=") + id).build_id()) << id;
  }
  EXPECT_FALSE(with("BUILD-ID=" + std::string(66, 'a')).build_id());
}

TEST(VmcoreinfoText, OfALineThatComesTwiceTheFirst) {
  EXPECT_EQ(with("NUMBER(n)=1\nNUMBER(n)=2").number("n"), 1U);
}

TEST(VmcoreinfoText, NoMoreThanAKernelWrites) {
  const std::string text = "OSRELEASE=6.1\nPAGESIZE=4096\n" + std::string(kMaxVmcoreinfo, '\n') + "LATE=1\n";
  const auto info = Vmcoreinfo::parse(text);
  ASSERT_TRUE(info);
  EXPECT_FALSE(info->value("LATE"));
}

TEST(VmcoreinfoText, FromMemory) {
  test::FakeVirt memory;
  const GuestVirt at(0xffff000000001f80);  // across a page's end
  memory.put_bytes(at, std::as_bytes(std::span(kText)));
  const auto info = read_vmcoreinfo(memory, at);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->kernel_offset(), 0x1e200000U);
  EXPECT_FALSE(read_vmcoreinfo(memory, at + 1));
  EXPECT_FALSE(read_vmcoreinfo(memory, GuestVirt(0x5000)));
}

TEST(VmcoreinfoText, CutOffByUnreadableMemory) {
  test::FakeVirt memory;
  const GuestVirt at(0xffff000000001ff0);
  memory.put_bytes(at, std::as_bytes(std::span(kText.substr(0, 16))));
  EXPECT_FALSE(read_vmcoreinfo(memory, at));
}

}  // namespace
}  // namespace xstack
