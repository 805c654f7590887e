// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/crash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/system_facts.h"

namespace xstack {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

KernelLog log_of(std::vector<std::string> lines) {
  KernelLog log;
  for (std::string& line : lines) {
    LogRecord record;
    record.text = std::move(line);
    log.records.push_back(std::move(record));
  }
  return log;
}

NamedFrame frame(const char* symbol, FoundBy found_by = FoundBy::frame) {
  NamedFrame named;
  named.symbol = symbol;
  named.found_by = found_by;
  return named;
}

Report trace(unsigned id, std::vector<NamedFrame> frames) {
  Report report;
  report.vcpus.resize(2);
  report.vcpus[0].id = id + 1;
  report.vcpus[1].id = id;
  report.vcpus[1].frames = std::move(frames);
  return report;
}

TEST(Crash, APanicIsToldInOneLine) {
  const KernelLog log = log_of({"sysrq: Trigger a crash", "Kernel panic - not syncing: sysrq triggered crash",
                                "CPU: 0 UID: 0 PID: 142 Comm: my sh Not tainted 6.12 #1", "Hardware name: x",
                                "---[ end Kernel panic - not syncing: sysrq triggered crash ]---"});
  const auto crash =
      find_crash(log, trace(3, {frame("__const_udelay"), frame("panic"), frame("sysrq_handle_crash"), frame("sh")}));
  ASSERT_TRUE(crash);
  EXPECT_EQ(crash_line(*crash),
            "Kernel panic - not syncing: sysrq triggered crash, in sysrq_handle_crash on vCPU 3, task my sh[142]");
  EXPECT_EQ(crash->cpu, 0U);
}

TEST(Crash, ThePanicMessageMayBeARecordOfItsOwn) {
  for (const char* start : {"Kernel panic - not syncing:", "Kernel panic - not syncing: "}) {
    const auto crash = find_crash(
        log_of({start, "Software Watchdog Timer expired", "CPU: 1 PID: 2 Comm: a Not tainted"}), trace(0, {}));
    ASSERT_TRUE(crash);
    EXPECT_EQ(crash->message, "Kernel panic - not syncing: Software Watchdog Timer expired");
  }
  const auto last = find_crash(log_of({"Kernel panic - not syncing:", "the last words"}), trace(0, {}));
  ASSERT_TRUE(last);
  EXPECT_EQ(last->message, "Kernel panic - not syncing: the last words");
  const auto cut = find_crash(log_of({"Kernel panic - not syncing:"}), trace(0, {}));
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->message, "Kernel panic - not syncing:");
}

TEST(Crash, AnOopsThatLedToThePanicIsItsCause) {
  const KernelLog log = log_of({"Unable to handle kernel NULL pointer dereference at virtual address 00000000",
                                "Internal error: Oops: 5 [#1] SMP ARM", "CPU: 1 PID: 7 Comm: a Tainted: G 6.1",
                                "Kernel panic - not syncing: Fatal exception"});
  const auto crash =
      find_crash(log, trace(1, {frame("panic"), frame("die"), frame("__do_kernel_fault.part.0"), frame("do_page_fault"),
                                frame("do_DataAbort"), frame("__dabt_svc"), frame("bad_driver")}));
  ASSERT_TRUE(crash);
  EXPECT_EQ(crash->function, "bad_driver");
  EXPECT_EQ(crash_line(*crash),
            "Kernel panic - not syncing: Fatal exception (Unable to handle kernel NULL pointer dereference at virtual "
            "address 00000000), in bad_driver on vCPU 1, task a[7]");
}

TEST(Crash, WithoutATraceTheLogAloneSpeaks) {
  const auto crash = find_crash(log_of({"Kernel panic - not syncing: x", "CPU: 5 PID: 1 Comm: init Not tainted 6.1"}),
                                trace(0, {frame("idle")}));
  ASSERT_TRUE(crash);
  EXPECT_EQ(crash_line(*crash), "Kernel panic - not syncing: x, on CPU 5, task init[1]");
  EXPECT_FALSE(crash->function || crash->vcpu);
}

TEST(Crash, AGuessedFrameIsNotBlamed) {
  const auto crash =
      find_crash(log_of({"Kernel panic - not syncing: x"}), trace(0, {frame("panic"), frame("stale", FoundBy::scan)}));
  ASSERT_TRUE(crash);
  EXPECT_EQ(crash->vcpu, 0U);
  EXPECT_FALSE(crash->function);
}

TEST(Crash, AnOopsAloneIsOne) {
  const auto crash = find_crash(
      log_of({"BUG: kernel NULL pointer dereference, address: 0000000000000000", "CPU: 1 PID: 7 Comm: a Tainted: G"}),
      Report{});
  ASSERT_TRUE(crash);
  EXPECT_EQ(crash->kind, "oops");
  EXPECT_EQ(crash->comm, "a");
}

TEST(Crash, AProgramThatWritesToTheLogTellsNothing) {
  KernelLog log = log_of({"Kernel panic - not syncing: not at all", "all is well"});
  log.records[0].facility = 1;
  EXPECT_FALSE(find_crash(log, Report{}));
  EXPECT_FALSE(find_crash({}, Report{}));
}

TEST(Taint, FlagsHaveNames) {
  EXPECT_THAT(taint_names(0), IsEmpty());
  EXPECT_THAT(taint_names(1U << 12 | 1U << 9), ElementsAre("W (warning)", "O (out-of-tree module)"));
  EXPECT_THAT(taint_names(std::uint64_t{1} << 40), ElementsAre("0x10000000000 (unknown)"));
}

}  // namespace
}  // namespace xstack
