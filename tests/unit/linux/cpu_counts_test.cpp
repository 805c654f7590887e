// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/cpu_counts.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/support/fake_memory.h"

namespace xstack {
namespace {

constexpr std::uint64_t kData = 0xffff'8000'0900'0000;

class FakeNames final : public CodeInfo {
 public:
  [[nodiscard]] std::optional<CodeSymbol> function_at(GuestVirt /*address*/) override { return std::nullopt; }
  [[nodiscard]] std::optional<bool> is_code(GuestVirt /*address*/) override { return std::nullopt; }
  [[nodiscard]] std::optional<GuestVirt> address_of(std::string_view name) override {
    const auto found = names.find(std::string(name));
    return found == names.end() ? std::nullopt : std::optional(GuestVirt(found->second));
  }
  std::map<std::string, std::uint64_t> names = {
      {"nr_cpu_ids", kData}, {"__cpu_present_mask", kData + 64}, {"__cpu_online_mask", kData + 128}};
};

struct CpuCountsTest : testing::Test {
  CpuCountsTest() {
    memory.put<std::uint32_t>(GuestVirt(kData), 70);
    memory.put<std::uint64_t>(GuestVirt(kData + 64), ~std::uint64_t{0});
    memory.put<std::uint64_t>(GuestVirt(kData + 72), 0xff);  // two of these are beyond nr_cpu_ids
    memory.put<std::uint64_t>(GuestVirt(kData + 128), 5);
    memory.put<std::uint64_t>(GuestVirt(kData + 136), 0x20);
  }
  test::FakeVirt memory;
  FakeNames names;
};

TEST_F(CpuCountsTest, CountsTheBitsBelowNrCpuIds) {
  const CpuCounts counts = read_cpu_counts(names, memory, 8);
  EXPECT_EQ(counts.present, 70U);
  EXPECT_EQ(counts.online, 3U);
}

TEST_F(CpuCountsTest, ReadsWordsOf32Bits) {
  const CpuCounts counts = read_cpu_counts(names, memory, 4);
  EXPECT_EQ(counts.present, 70U);
  EXPECT_EQ(counts.online, 3U);
}

TEST_F(CpuCountsTest, SaysNothingWithoutSymbols) {
  names.names.erase("__cpu_present_mask");
  EXPECT_EQ(read_cpu_counts(names, memory, 8).present, std::nullopt);
  EXPECT_EQ(read_cpu_counts(names, memory, 8).online, 3U);
  names.names.erase("nr_cpu_ids");
  EXPECT_EQ(read_cpu_counts(names, memory, 8).online, std::nullopt);
}

TEST_F(CpuCountsTest, SaysNothingOfNumbersThatCannotBe) {
  memory.put<std::uint32_t>(GuestVirt(kData), 0xffffffff);
  EXPECT_EQ(read_cpu_counts(names, memory, 8).present, std::nullopt);
  memory.put<std::uint32_t>(GuestVirt(kData), 4);
  memory.put<std::uint64_t>(GuestVirt(kData + 64), 1);  // more are online than present
  EXPECT_EQ(read_cpu_counts(names, memory, 8).present, std::nullopt);
  EXPECT_EQ(read_cpu_counts(names, memory, 8).online, std::nullopt);
}

KernelTask task(const std::string& comm, std::optional<bool> kernel_thread = true) {
  KernelTask one;
  one.comm = comm;
  one.kernel_thread = kernel_thread;
  return one;
}

TEST(CpusByThreads, CountsEachCpuOnce) {
  const std::vector<KernelTask> tasks = {task("cpuhp/0"), task("cpuhp/1"),        task("cpuhp/1"), task("cpuhp/"),
                                         task("cpuhp/x"), task("cpuhp/3", false), task("sh")};
  EXPECT_EQ(cpus_by_threads(tasks), 2U);
  EXPECT_EQ(cpus_by_threads({}), std::nullopt);
}

}  // namespace
}  // namespace xstack
