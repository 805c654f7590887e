// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/mapped_scan.h"

#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"
#include "tests/support/identity_translation.h"

namespace xstack {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;
constexpr std::uint64_t kStart = 0x40000000;

/// All addresses are mapped; what is behind them is up to the test.
struct Scanned {
  Scanned() {
    cpu.translations.push_back(std::make_shared<test::IdentityTranslation>([](std::uint64_t) { return true; }));
  }
  GuestVirt scan(std::uint64_t hole) {
    test::FakePhys physical;
    PageProbe probe(physical, std::span(&cpu, 1));
    const ScanBounds bounds{GuestVirt(kStart), GuestVirt(~std::uint64_t{0}), 1024 * kMiB, hole};
    return scan_mapped(probe, memory, bounds, 0, [&](GuestVirt at, std::span<const std::byte>) {
      visited.push_back(at.value);
      return true;
    });
  }
  CpuState cpu;
  test::FakeVirt memory;
  std::vector<std::uint64_t> visited;
};

TEST(MappedScan, EndsWhereMuchIsMappedAndNothingIsThere) {
  Scanned s;
  EXPECT_EQ(s.scan(8 * kMiB).value, kStart + 7 * kMiB);
  EXPECT_TRUE(s.visited.empty());
}

TEST(MappedScan, SeesWhatComesAfterALittleOfThat) {
  Scanned s;
  s.memory.touch(GuestVirt(kStart + 3 * kMiB));
  s.memory.touch(GuestVirt(kStart + 6 * kMiB + 4096));
  s.scan(4 * kMiB);
  EXPECT_EQ(s.visited, (std::vector<std::uint64_t>{kStart + 3 * kMiB, kStart + 6 * kMiB}));
}

}  // namespace
}  // namespace xstack
