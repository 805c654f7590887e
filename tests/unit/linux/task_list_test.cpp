// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/task_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_tasks.h"

namespace xstack {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::uint32_t> pids(const TaskListing& listing) {
  std::vector<std::uint32_t> all;
  for (const KernelTask& task : listing.tasks) {
    all.push_back(task.pid);
  }
  return all;
}

TEST(TaskList, HasEveryThreadAndNotTheIdleTask) {
  test::FakeTasks fake;
  fake.add(1, "init");
  const auto leader = fake.add(7, "daemon");
  fake.add_threads(leader, {8, 9});
  fake.add(12, "last");
  const TaskListing listing = read_tasks(fake.memory, fake.layout, 8);
  EXPECT_THAT(pids(listing), ElementsAre(1, 7, 8, 9, 12));
  EXPECT_THAT(listing.problems, IsEmpty());
  EXPECT_EQ(listing.tasks[2].tgid, 7U);
  EXPECT_EQ(listing.tasks[4].comm, "last");
  EXPECT_EQ(listing.tasks[4].parent, 0U);
}

TEST(TaskList, WithoutThreadListsItSaysThatOnlyProcessesAreListed) {
  test::FakeTasks fake;
  fake.add_threads(fake.add(7, "daemon"), {8, 9});
  fake.layout.signal.reset();
  const TaskListing listing = read_tasks(fake.memory, fake.layout, 8);
  EXPECT_THAT(pids(listing), ElementsAre(7));
  EXPECT_THAT(listing.problems, ElementsAre(HasSubstr("only processes")));
}

TEST(TaskList, ACircleThatLeavesTheHeadOutEnds) {
  test::FakeTasks fake;
  const auto one = fake.add(1, "a");
  const auto two = fake.add(2, "b");
  // b's successor is a, which denies it.
  fake.memory.put(fake.at(two) + fake.layout.tasks, (fake.at(one) + fake.layout.tasks).value);
  TaskListing listing = read_tasks(fake.memory, fake.layout, 8);
  EXPECT_THAT(pids(listing), ElementsAre(1, 2));
  EXPECT_THAT(listing.problems, ElementsAre(HasSubstr("breaks off")));
  // Even when a does not deny it any more.
  fake.memory.put(fake.at(one) + fake.layout.tasks + 8, (fake.at(two) + fake.layout.tasks).value);
  listing = read_tasks(fake.memory, fake.layout, 8);
  EXPECT_THAT(listing.problems, ElementsAre(HasSubstr("breaks off")));
}

TEST(TaskList, AListIntoNowhereEnds) {
  test::FakeTasks fake;
  const auto one = fake.add(1, "a");
  for (const std::uint64_t nowhere : {std::uint64_t{0}, std::uint64_t{0xdead000000000100}, std::uint64_t{0x1003}}) {
    fake.memory.put(fake.at(one) + fake.layout.tasks, nowhere);
    const TaskListing listing = read_tasks(fake.memory, fake.layout, 8);
    EXPECT_THAT(pids(listing), ElementsAre(1));
    EXPECT_THAT(listing.problems, ElementsAre(HasSubstr("breaks off")));
  }
}

TEST(TaskList, MoreTasksThanAreListedAreSaidToBe) {
  test::FakeTasks fake;
  for (std::uint32_t pid = 1; pid <= 20; ++pid) {
    fake.add(pid, "many");
  }
  const TaskListing listing = read_tasks(fake.memory, fake.layout, 8, 10);
  EXPECT_EQ(listing.tasks.size(), 10U);
  ASSERT_FALSE(listing.problems.empty());
  EXPECT_THAT(listing.problems.front(), HasSubstr("more than 10"));
}

TEST(TaskList, WhatIsNoTaskIsLeftOutAndSaid) {
  test::FakeTasks fake;
  fake.add(1, "a");
  const auto bad = fake.add(2, "b");
  fake.add(3, "c");
  fake.memory.put<std::uint32_t>(fake.at(bad) + fake.layout.pid, 0xffffffff);
  const TaskListing listing = read_tasks(fake.memory, fake.layout, 8);
  EXPECT_THAT(pids(listing), ElementsAre(1, 3));
  EXPECT_THAT(listing.problems, ElementsAre(HasSubstr("no task")));
}

TEST(TaskState, LettersAreThoseOfPs) {
  const auto letter = [](std::uint32_t state, std::uint32_t exit_state = 0) {
    KernelTask task;
    task.state = state;
    task.exit_state = exit_state;
    return state_letter(task).value_or('?');
  };
  EXPECT_EQ(letter(0), 'R');
  EXPECT_EQ(letter(0x1), 'S');
  EXPECT_EQ(letter(0x2), 'D');
  EXPECT_EQ(letter(0x102), 'D');  // killable
  EXPECT_EQ(letter(0x402), 'I');
  EXPECT_EQ(letter(0x104), 'T');
  EXPECT_EQ(letter(0x8), 't');
  EXPECT_EQ(letter(0x40), 'P');
  EXPECT_EQ(letter(0x80, 0x20), 'Z');
  EXPECT_EQ(letter(0x80, 0x10), 'X');
  EXPECT_EQ(letter(0x200), 'R');  // about to be woken
  EXPECT_EQ(letter(0x1000), 'D');
  EXPECT_EQ(letter(0x8000), 'D');
  EXPECT_FALSE(state_letter(KernelTask{}));
}

}  // namespace
}  // namespace xstack
