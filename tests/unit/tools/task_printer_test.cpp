// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/print/task_printer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/json_schema.h"
#include "tests/support/sample_report.h"

namespace xstack {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

NamedFrame frame(std::uint64_t pc, const char* symbol) {
  NamedFrame out;
  out.pc = GuestVirt(pc);
  out.symbol = symbol;
  out.offset = 0x10;
  return out;
}

/// A running shell, two kworkers in one place, a thread with a hostile name and a zombie.
TasksReport sample() {
  TasksReport report;
  report.guest = test::sample_report().guest;
  report.listed = 40;
  report.tasks.resize(5);
  std::uint32_t pid = 10;
  for (TaskReport& task : report.tasks) {
    task.pid = task.tgid = pid++;
    task.comm = "kworker/0:1";
    task.state = 'I';
    task.kernel_thread = true;
    task.cpu = 1;
    task.structure = GuestVirt(0xc1000000);
    task.frames = {frame(0xc0001000, "__schedule"), frame(0xc0002000, "worker_thread")};
    task.end = TraceEnd{EndReason::end_of_stack, {}, {}};
  }
  TaskReport& shell = report.tasks[0];
  shell.comm = "sh";
  shell.state = 'R';
  shell.kernel_thread = false;
  shell.parent = 1;
  shell.vcpu = 0;
  shell.registers = test::sample_report().vcpus[0].cpu;
  shell.frames = {frame(0xc0003000, "panic")};
  TaskReport& thread = report.tasks[3];
  thread.comm = "a\x1b[31mb";
  thread.state = 'D';
  thread.tgid = 7;
  TaskReport& zombie = report.tasks[4];
  zombie.state = 'Z';
  zombie.frames.clear();
  zombie.end.reset();
  zombie.no_trace = "it is dead";
  return report;
}

std::vector<std::string> schema_errors(const TasksReport& report) {
  std::ifstream in(XSTACK_TASKS_SCHEMA);
  return test::SchemaValidator(nlohmann::json::parse(in)).errors(nlohmann::json::parse(print_tasks_json(report)));
}

TEST(TaskPrinter, TextHasEachTaskWithItsTrace) {
  const std::string text = print_tasks_text(sample(), View{});
  EXPECT_THAT(text, HasSubstr("40 tasks, 5 shown\n"));
  EXPECT_THAT(text, HasSubstr("task 10 (sh): R, running on vCPU 0, parent 1\n  Call trace:\n"));
  EXPECT_THAT(text, HasSubstr("task 11 (kworker/0:1): I, CPU 1, kernel thread\n"));
  EXPECT_THAT(text, HasSubstr("task 13 (a\\x1b[31mb): D, CPU 1, thread of 7\n"));
  EXPECT_THAT(text, HasSubstr("  No trace: it is dead\n"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(TaskPrinter, TextOfGroupsShowsEqualStacksOnce) {
  TasksReport report = sample();
  report.groups = std::vector<TaskGroup>{{1, 2}, {0}, {3}, {4}};
  const std::string text = print_tasks_text(report, View{});
  EXPECT_THAT(text, HasSubstr("2 tasks: I\n  11 (kworker/0:1) 12 (kworker/0:1)\n  Call trace:\n"));
  EXPECT_THAT(text, HasSubstr("task 10 (sh)"));
}

TEST(TaskPrinter, WithoutTracesItIsATable) {
  TasksReport report = sample();
  report.traced = false;
  const std::string text = print_tasks_text(report, View{});
  EXPECT_THAT(text, HasSubstr("     10      10       1 R    0* sh\n"));
  EXPECT_THAT(text, HasSubstr("     13       7       ? D    1  a\\x1b[31mb\n"));
  EXPECT_THAT(text, Not(HasSubstr("Call trace")));
}

TEST(TaskPrinter, JsonIsWhatTheSchemaSays) {
  TasksReport report = sample();
  report.pause_us = 812;
  report.partial = true;
  report.warnings = {"a list breaks off"};
  EXPECT_THAT(schema_errors(report), IsEmpty());
  const auto json = nlohmann::json::parse(print_tasks_json(report));
  EXPECT_EQ(json["tasks"][0]["vcpu"], 0);
  EXPECT_TRUE(json["tasks"][0]["registers"].contains("pc"));
  EXPECT_EQ(json["tasks"][1]["frames"][1]["symbol"], "worker_thread");
  EXPECT_FALSE(json["tasks"][4].contains("frames"));
  EXPECT_EQ(json["tasks"][4]["no_trace"], "it is dead");
  report.groups = std::vector<TaskGroup>{{1, 2}, {0}, {3}, {4}};
  EXPECT_THAT(schema_errors(report), IsEmpty());
  const auto grouped = nlohmann::json::parse(print_tasks_json(report));
  EXPECT_EQ(grouped["groups"][0]["count"], 2);
  EXPECT_EQ(grouped["groups"][0]["pids"], nlohmann::json::parse("[11,12]"));
  EXPECT_FALSE(grouped["tasks"][1].contains("frames"));
  EXPECT_THAT(schema_errors(TasksReport{}), IsEmpty());
}

}  // namespace
}  // namespace xstack
