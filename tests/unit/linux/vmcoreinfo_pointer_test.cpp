// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/vmcoreinfo_pointer.h"

#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"
#include "tests/support/identity_translation.h"

namespace xstack {
namespace {

constexpr std::string_view kText = "OSRELEASE=6.12.94\nPAGESIZE=4096\nKERNELOFFSET=1000000\n";

/// A kernel whose data, of which 64 KiB are mapped, holds the pointer; the text is on a page behind the image.
class VmcoreinfoPointer : public testing::TestWithParam<unsigned> {
 protected:
  VmcoreinfoPointer() {
    cpu_.translations.push_back(std::make_shared<test::IdentityTranslation>(
        [this](std::uint64_t va) { return va >= data() && va < data() + 0x10000; }));
    for (std::uint64_t page = 0; page < 0x10000; page += kXenPageSize) {
      memory_.touch(GuestVirt(data() + page));
    }
    put_text(page());
  }
  [[nodiscard]] unsigned word() const { return GetParam(); }
  [[nodiscard]] std::uint64_t code() const { return word() == 4 ? 0xc0100000 : 0xffffffff81000000; }
  [[nodiscard]] std::uint64_t data() const { return code() + 0x1000000; }
  [[nodiscard]] std::uint64_t page() const { return word() == 4 ? 0xef123000 : 0xffff888003123000; }
  void put_text(std::uint64_t at, std::string_view text = kText) {
    memory_.put_bytes(GuestVirt(at), std::as_bytes(std::span(text)));
  }
  void put(std::uint64_t offset, std::uint64_t value) {
    if (word() == 4) {
      memory_.put(GuestVirt(data() + offset), static_cast<std::uint32_t>(value));
    } else {
      memory_.put(GuestVirt(data() + offset), value);
    }
  }
  std::optional<Vmcoreinfo> find() {
    PageProbe probe(physical_, std::span(&cpu_, 1));
    return find_vmcoreinfo_by_pointer(probe, memory_, {GuestVirt(code()), GuestVirt(data()), word()});
  }

  CpuState cpu_;
  test::FakePhys physical_;
  test::FakeVirt memory_;
};

INSTANTIATE_TEST_SUITE_P(Widths, VmcoreinfoPointer, testing::Values(4U, 8U));

TEST_P(VmcoreinfoPointer, LeadsToTheText) {
  put(0x3210, page());
  const auto info = find();
  ASSERT_TRUE(info);
  EXPECT_EQ(info->release(), "6.12.94");
  EXPECT_EQ(info->kernel_offset(), 0x1000000U);
}

TEST_P(VmcoreinfoPointer, AtTheVeryEndOfTheData) {
  put(0x10000 - word(), page());
  EXPECT_TRUE(find());
}

TEST_P(VmcoreinfoPointer, IsAligned) {
  memory_.put(GuestVirt(data() + 0x3212), page());
  EXPECT_FALSE(find());
  put_text(page() + 0x1008);
  put(0x3310, page() + 0x1008);  // and leads to the start of a page
  EXPECT_FALSE(find());
}

TEST_P(VmcoreinfoPointer, WithALengthBesideItComesFirst) {
  // More pages than are looked at stand before it, each of another kernel's form; none of them has a length.
  for (std::uint64_t i = 0; i < 2000; ++i) {
    put(0x1000 + i * word(), page() + (i + 1) * kXenPageSize);
  }
  put(0x8000, page());
  EXPECT_FALSE(find()) << "too many others";
  put(0x8000 + word(), kText.size() + 1000);
  EXPECT_TRUE(find());
  put(0x8000 + word(), 0);
  put(0x8000 - 4 * std::uint64_t{word()}, kMaxVmcoreinfo);
  EXPECT_TRUE(find());
  put(0x8000 - 4 * std::uint64_t{word()}, kMaxVmcoreinfo + 1);
  EXPECT_FALSE(find());
}

TEST_P(VmcoreinfoPointer, TextThatIsNoneIsPassedOver) {
  put_text(page() + 0x1000, "OSRELEASE=\x1b[2J\nPAGESIZE=4096\n");
  put_text(page() + 0x2000, "OSRELEASE=6.1 without a page size\n");
  put(0x100, page() + 0x1000);
  put(0x108, page() + 0x2000);
  put(0x110, page() + 0x3000);  // unreadable
  EXPECT_FALSE(find());
  put(0x200, page());
  EXPECT_EQ(find()->release(), "6.12.94");
}

TEST_P(VmcoreinfoPointer, IntoTheCodeOrToUserMemoryIsNone) {
  const std::uint64_t inside = code() + 0x5000;
  put_text(inside);
  put(0x100, inside);
  const std::uint64_t user = word() == 4 ? 0x08048000 : 0x7f0000000000;
  put_text(user);
  put(0x200, user);
  EXPECT_FALSE(find());
}

TEST_P(VmcoreinfoPointer, NothingButPointersEnds) {
  // None of them, some of them, or all of them with a length beside them.
  for (const std::uint64_t with_length : {0U, 600U, 10000U}) {
    for (std::uint64_t i = 0; i < 0x10000 / word() / 2; ++i) {
      const std::uint64_t place = i < with_length ? i * 2 : 0x10000 / word() / 2 + i;
      put(place * word(), page() + (i + 1) * kXenPageSize);
      if (i < with_length) {
        put((place + 1) * word(), 1000);
      }
    }
    const std::size_t before = memory_.reads;
    EXPECT_FALSE(find());
    EXPECT_LT(memory_.reads - before, 1200U) << with_length;
  }
}

}  // namespace
}  // namespace xstack
