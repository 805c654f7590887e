// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/cli/number.h"
#include "tools/cli/options.h"

namespace xstack {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<Options> parse(std::vector<std::string> arguments) {
  return parse_command_line(arguments);
}

std::string refusal(std::vector<std::string> arguments) {
  const auto options = parse_command_line(arguments);
  return options ? "accepted" : options.error().code == Errc::usage ? options.error().message : "wrong code";
}

TEST(CommandLine, MemoryAlone) {
  const auto one = parse({"info", "--core", "ram", "--raw", "0x40000000"});
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_EQ(one->raw_files.size(), 1U);
  EXPECT_EQ(one->raw_files[0].path, "ram");
  EXPECT_EQ(one->raw_files[0].base, 0x40000000U);
  const auto two = parse({"dmesg", "--raw", "--core", "a", "--ram-base", "0", "--core=b", "--raw=0x1000"});
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_TRUE(two->raw);  // dmesg's own flag
  ASSERT_EQ(two->raw_files.size(), 2U);
  EXPECT_EQ(two->raw_files[1].path, "b");
  EXPECT_EQ(two->raw_files[1].base, 0x1000U);
  EXPECT_THAT(refusal({"--core", "a", "--core", "b", "--raw", "0x0"}), HasSubstr("1 times for 2 --core files"));
  EXPECT_THAT(refusal({"--core", "a", "--ram-base", "here"}), HasSubstr("not a number"));
}

TEST(Number, DecimalAndHexadecimalOnly) {
  EXPECT_EQ(parse_number("0"), 0U);
  EXPECT_EQ(parse_number("42"), 42U);
  EXPECT_EQ(parse_number("0xC0008000"), 0xc0008000U);
  EXPECT_EQ(parse_number("0xffffffffffffffff"), ~0ULL);
  for (const char* bad : {"", "0x", "-1", "+1", " 1", "1 ", "1k", "010", "c0", "0x1g", "18446744073709551616"}) {
    EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
  }
}

TEST(CommandLine, TheSubcommandIsOptional) {
  EXPECT_EQ(parse({"domU"})->command, Command::trace);
  EXPECT_EQ(*parse({"domU"})->domain, "domU");
  EXPECT_EQ(parse({"regs", "domU"})->command, Command::regs);
  EXPECT_EQ(*parse({"regs", "domU", "1"})->vcpu, 1U);
  EXPECT_EQ(*parse({"trace", "info"})->domain, "info");
  EXPECT_EQ(parse({"trace", "info"})->command, Command::trace);
  EXPECT_EQ(parse({"--json", "info", "domU"})->command, Command::info);
  EXPECT_EQ(*parse({"--", "-odd"})->domain, "-odd");
}

TEST(CommandLine, CoreTakesThePlaceOfDomain) {
  const auto options = parse({"--core", "crash.elf", "1"});
  EXPECT_EQ(*options->core, "crash.elf");
  EXPECT_EQ(options->domain, std::nullopt);
  EXPECT_EQ(*options->vcpu, 1U);
  EXPECT_THAT(refusal({"--core", "crash.elf", "domU"}), HasSubstr("not the number of a vCPU"));
}

TEST(CommandLine, WhatCalledXenctxWorks) {
  const auto options = parse({"-s", "MAP", "-a", "-C", "3"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(*options->domain, "3");
  EXPECT_EQ(options->vcpu, std::nullopt);
  EXPECT_TRUE(options->all_registers);
  EXPECT_THAT(options->symbol_files, ElementsAre("MAP"));

  const auto all = parse({"3", "-fSaDt", "-n2", "-b", "16", "-lall", "-k0xc0000000", "--memory=0xc0008000", "-d",
                          "0xf0819e58", "--symbol-table=MAP", "1"});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(*all->vcpu, 1U);
  EXPECT_TRUE(all->stack_trace && all->ascii && all->tag && all->all_registers);
  EXPECT_EQ(all->stack_pages, 2U);
  EXPECT_EQ(all->bytes_per_line, 16U);
  EXPECT_FALSE(all->lines->count);
  EXPECT_EQ(all->kernel_start, 0xc0000000U);
  EXPECT_THAT(all->memory, ElementsAre(GuestVirt(0xc0008000)));
  EXPECT_THAT(all->dump_as_stack, ElementsAre(GuestVirt(0xf0819e58)));
  EXPECT_EQ(parse({"--display-stack-pages=3", "3"})->stack_pages, 3U);
  EXPECT_EQ(parse({"-l", "7", "-l", "9", "3"})->lines->count, 9U) << "the last one wins";
  EXPECT_THAT(refusal({"-C", "3", "1"}), HasSubstr("-C, --all-vcpus"));
}

TEST(CommandLine, SymbolFilesDoNotSwallowTheDomain) {
  const auto options = parse({"-s", "a", "-s", "b", "domU"});
  EXPECT_THAT(options->symbol_files, ElementsAre("a", "b"));
  EXPECT_EQ(*options->domain, "domU");
}

TEST(CommandLine, SymbolsTakesQueries) {
  const auto core = parse({"symbols", "--core", "f", "0x10", "panic+0x4"});
  EXPECT_EQ(core->command, Command::symbols);
  EXPECT_THAT(core->queries, ElementsAre("0x10", "panic+0x4"));
  const auto domain = parse({"symbols", "7", "0x10"});
  EXPECT_EQ(*domain->domain, "7");
  EXPECT_THAT(domain->queries, ElementsAre("0x10"));
  const auto files = parse({"symbols", "--no-guest", "-s", "vmlinux", "0x10"});
  EXPECT_FALSE(files->domain);
  EXPECT_THAT(files->queries, ElementsAre("0x10"));
  EXPECT_THAT(refusal({"symbols", "--no-guest", "0x10"}), HasSubstr("-s"));
  EXPECT_THAT(refusal({"symbols", "--no-guest", "-s", "f", "--core", "g"}), HasSubstr("--core"));
  EXPECT_THAT(refusal({"--no-guest", "-s", "f"}), HasSubstr("no meaning for trace"));
}

TEST(CommandLine, WhereLinesComeFrom) {
  const auto plain = parse({"d"});
  EXPECT_THAT(plain->debug_directories, ElementsAre("/usr/lib/debug"));
  EXPECT_FALSE(plain->debuginfod) << "never unasked";
  EXPECT_FALSE(plain->force);
  EXPECT_THAT(parse({"--debug-dir", "a", "--debug-dir=b", "d"})->debug_directories, ElementsAre("a", "b"));
  EXPECT_TRUE(parse({"--debug-dir=none", "d"})->debug_directories.empty());
  EXPECT_TRUE(parse({"--debuginfod", "--force", "d"})->debuginfod);
}

TEST(CommandLine, NumbersAreChecked) {
  EXPECT_THAT(refusal({"-b", "3", "d"}), HasSubstr("--bytes-per-line: 3 is not in 4..128"));
  EXPECT_THAT(refusal({"-b", "129", "d"}), HasSubstr("not in 4..128"));
  EXPECT_THAT(refusal({"-n", "0", "d"}), HasSubstr("--display-stack-pages"));
  EXPECT_THAT(refusal({"-l", "some", "d"}), HasSubstr("'some' is not a number"));
  EXPECT_THAT(refusal({"-k", "c0000000", "d"}), HasSubstr("--kernel-start: 'c0000000'"));
  EXPECT_THAT(refusal({"-m", "", "d"}), HasSubstr("--memory"));
  EXPECT_THAT(refusal({"d", "0x10000"}), HasSubstr("VCPU: 0x10000 is not in"));
  EXPECT_THAT(refusal({"d", "-1"}), HasSubstr("-1"));
}

TEST(CommandLine, WhatMakesNoSense) {
  EXPECT_THAT(refusal({}), HasSubstr("no DOMAIN"));
  EXPECT_THAT(refusal({"info"}), HasSubstr("xstack trace info"));
  EXPECT_THAT(refusal({""}), HasSubstr("DOMAIN is empty"));
  EXPECT_THAT(refusal({"d", "1", "2"}), HasSubstr("one word too many"));
  EXPECT_THAT(refusal({"--bogus", "d"}), HasSubstr("--bogus"));
  EXPECT_THAT(refusal({"d", "--arch"}), HasSubstr("--arch"));
  EXPECT_THAT(refusal({"d", "--arch", "mips"}), HasSubstr("'mips'"));
  EXPECT_THAT(refusal({"d", "--color", "maybe"}), HasSubstr("'maybe'"));
  EXPECT_THAT(refusal({"capture", "d"}), HasSubstr("no -o FILE"));
  EXPECT_THAT(refusal({"capture", "d", "1", "-o", "f"}), HasSubstr("every vCPU"));
  EXPECT_THAT(refusal({"regs", "d", "-l", "3"}), HasSubstr("-l, --lines has no meaning for regs"));
  EXPECT_THAT(refusal({"d", "-o", "f"}), HasSubstr("-o, --output has no meaning for trace"));
}

TEST(CommandLine, TasksCanBePicked) {
  const auto options = parse({"tasks", "--state", "DR", "--pid", "1", "--pid=0x10", "--comm", "kworker/*", "domU"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->command, Command::tasks);
  EXPECT_EQ(options->states, "DR");
  EXPECT_THAT(options->pids, ElementsAre(1U, 16U));
  EXPECT_THAT(options->comms, ElementsAre("kworker/*"));
  EXPECT_TRUE(options->trace);
  EXPECT_FALSE(parse({"tasks", "--no-trace", "domU"})->trace);
  EXPECT_TRUE(parse({"tasks", "--group", "domU"})->group);
  EXPECT_THAT(refusal({"tasks", "--state", "DQ", "domU"}), HasSubstr("--state"));
  EXPECT_THAT(refusal({"tasks", "--state=", "domU"}), HasSubstr("--state"));
  EXPECT_THAT(refusal({"tasks", "--pid", "init", "domU"}), HasSubstr("--pid"));
  EXPECT_THAT(refusal({"tasks", "--group", "--no-trace", "domU"}), HasSubstr("--no-trace"));
  EXPECT_THAT(refusal({"tasks", "domU", "1"}), HasSubstr("--pid"));
  EXPECT_THAT(refusal({"trace", "--pid", "1", "domU"}), HasSubstr("no meaning"));
}

TEST(CommandLine, RolesOfAConfiguration) {
  const auto options = parse({"check-config", "--role", "dom0,trace", "--fix", ".config"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->command, Command::check_config);
  EXPECT_EQ(options->domain, ".config");
  EXPECT_EQ(options->roles, 0b101);
  EXPECT_TRUE(options->fix);
  EXPECT_EQ(parse({"check-config", "--role=domU", "--core", "f"})->roles, 0b010);
  EXPECT_EQ(parse({"check-config", "f"})->roles, 0);
  EXPECT_THAT(refusal({"check-config", "--role", "dom1", "f"}), HasSubstr("dom0, domu, trace"));
  EXPECT_THAT(refusal({"check-config", "--role", "dom0,", "f"}), HasSubstr("--role"));
  EXPECT_THAT(refusal({"check-config"}), HasSubstr("no FILE"));
  EXPECT_THAT(refusal({"check-config", "f", "1"}), HasSubstr("vCPU"));
  EXPECT_THAT(refusal({"check-config", "--fix", "--json", "f"}), HasSubstr("--json"));
  EXPECT_THAT(refusal({"--fix", "domU"}), HasSubstr("no meaning"));
}

TEST(CommandLine, HelpAndVersionNeedNothingElse) {
  EXPECT_TRUE(parse({"-h"})->help);
  EXPECT_TRUE(parse({"capture", "--help"})->help);
  EXPECT_TRUE(parse({"--version"})->version);
}

}  // namespace
}  // namespace xstack
