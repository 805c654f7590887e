// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/translated_memory.h"

#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

/// Maps [begin, begin+size) to physical addresses `to` upward in 4 KiB pages.
class Window final : public Translation {
 public:
  Window(std::uint64_t begin, std::uint64_t size, std::uint64_t to) : begin_(begin), size_(size), to_(to) {}
  tl::expected<Mapping, Fault> walk(PhysMemory& memory, GuestVirt va) const override {
    (void)memory;
    if (va.value < begin_ || va.value - begin_ >= size_) {
      return tl::unexpected(Fault{FaultKind::unmapped, va.value, 3, 0});
    }
    return Mapping{GuestPhys(to_ + (va.value - begin_)), kXenPageSize - va.value % kXenPageSize, kXenPageSize, 3};
  }
  std::string describe() const override { return "window"; }

 private:
  std::uint64_t begin_, size_, to_;
};

TEST(TranslatedMemory, ReadsAcrossPagesThatAreNotContiguous) {
  test::FakePhys phys;
  phys.put<std::uint32_t>(GuestPhys(0x1ffc), 0x11111111);
  phys.put<std::uint32_t>(GuestPhys(0x9000), 0x22222222);
  TranslatedMemory memory(
      phys, {std::make_shared<Window>(0x70000, 0x1000, 0x1000), std::make_shared<Window>(0x71000, 0x1000, 0x9000)});
  EXPECT_EQ(memory.read_value<std::uint64_t>(GuestVirt(0x70ffc)), 0x2222222211111111ULL);
  EXPECT_EQ(memory.read_value<std::uint32_t>(GuestVirt(0x71000)), 0x22222222U) << "from the cache";
}

TEST(TranslatedMemory, FaultsNameTheFirstUnreadableVirtualByte) {
  test::FakePhys phys;
  phys.touch(GuestPhys(0x1000));
  TranslatedMemory memory(phys, {std::make_shared<Window>(0x70000, 0x2000, 0x1000)});
  const auto unmapped = memory.read_value<std::uint32_t>(GuestVirt(0x72000));
  ASSERT_FALSE(unmapped);
  EXPECT_EQ(unmapped.error().kind, FaultKind::unmapped);
  const auto absent = memory.read_value<std::uint64_t>(GuestVirt(0x70ffc));
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().kind, FaultKind::absent);
  EXPECT_EQ(absent.error().address, 0x71000U);
}

TEST(TranslatedMemory, ReadsDoNotWrapRoundTheAddressSpace) {
  test::FakePhys phys;
  phys.touch(GuestPhys(0x1000));
  TranslatedMemory memory(
      phys, {std::make_shared<Window>(~0ULL - 0xfff, 0x1000, 0x1000), std::make_shared<Window>(0, 0x1000, 0x1000)});
  EXPECT_EQ(memory.read_value<std::uint64_t>(GuestVirt(~0ULL - 3)).error().kind, FaultKind::out_of_range);
}

}  // namespace
}  // namespace xstack
