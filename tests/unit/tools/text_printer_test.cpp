// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/sample_report.h"
#include "tools/print/printer.h"

namespace xstack {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string print(const Report& report, const View& view = {}) {
  return make_text_printer(view)->print(report);
}

TEST(TextPrinter, AWholeReport) {
  View view;
  view.stack_format.lines = 1;
  EXPECT_EQ(print(test::sample_report(), view),
            "domU (domid 3): crashed (shutdown reason: crash), arm32, Xen 4.17.5\n"
            "Linux 6.1.0-50-armmp-lpae, KASLR offset 0x0, symbols: kallsyms, System.map:/boot/map, 12 modules\n"
            "\n"
            "vCPU 0: mode SVC, task 1 (init)\n"
            "   pc: c03a1b2c lr: 00001003 sp: f0819e58 cpsr: 00001005\n"
            "   r0: 00001000 r1: 00001001\n"
            "   USR:  sp 00001006\n"
            "  *SVC:  sp 00001007  spsr 00001008  (current)\n"
            "   FIQ:  lr unknown\n"
            "  Stack from f0819e58:\n"
            "    64636261 64636262 64636263 64636264 64636265 64636266 64636267 64636268\n"
            "  Call trace:\n"
            "    <IRQ>\n"
            "    #0  [<c03a1b2c>] sysrq_handle_crash+0x14/0x1c  drivers/tty/sysrq.c:154  (registers)\n"
            "    </IRQ>\n"
            "    #1  [<bf001004>] softdog_fire+0x14/0x1c [softdog]  (ehabi)\n"
            "    #2  [<c03a1c00>] ? __handle_sysrq+0x14/0x1c  (scan: a guess)\n"
            "    #3  [<c0100040>] (no symbol)  (exception)\n"
            "    ended: user mode: pc b6f1a2c4, sp be9f0c10\n"
            "  warning: lr_fiq is never reported by a 32-bit Xen\n"
            "\n"
            "vCPU 1: never brought up, Xen has no registers for it\n");
}

TEST(TextPrinter, AllRegistersAddBanksInFullAndSystemOnes) {
  View view;
  view.all_registers = true;
  const std::string all = print(test::sample_report(), view);
  EXPECT_THAT(all, HasSubstr("FIQ:  lr unknown   r8 00000088\n"));
  EXPECT_THAT(all, HasSubstr("   ttbr1: 0000000040207000\n"));
  EXPECT_THAT(print(test::sample_report()), Not(HasSubstr("ttbr1")));
}

TEST(TextPrinter, WordsWithTagsAndAscii) {
  View view;
  view.stack_format = {.bytes_per_line = 18, .ascii = true, .tag = true};
  EXPECT_THAT(print(test::sample_report(), view),
              HasSubstr("    f0819e58: 64636261 64636262 64636263 64636264  abcdbbcdcbcddbcd\n"
                        "    f0819e68: 64636265 64636266 64636267 64636268  ebcdfbcdgbcdhbcd\n"
                        "    f0819e78: 64636269 6463626a                    ibcdjbcd\n"
                        "    <0xf0819e80: not mapped by the guest>\n"));
}

TEST(TextPrinter, NoReasonWhenTheWordsEndBecauseTheLinesDo) {
  View view;
  view.stack_format.lines = 1;
  EXPECT_THAT(print(test::sample_report(), view), Not(HasSubstr("not mapped")));
}

TEST(TextPrinter, StackPagesEndAtAPageEnd) {
  Report report = test::sample_report();
  report.vcpus[0].stack->from = GuestVirt(0xf0819ff8);
  View view;
  view.stack_format.stack_pages = 1;
  EXPECT_THAT(print(report, view), HasSubstr("Stack from f0819ff8:\n    64636261 64636262\n  Call trace"));
  view.stack_format.stack_pages = 2;
  EXPECT_THAT(print(report, view), HasSubstr("64636268\n    64636269 6463626a\n"));
}

TEST(TextPrinter, WordByWordNamesWhatIsCodeAsAGuess) {
  View view;
  view.stack_format.word_by_word = true;
  EXPECT_THAT(print(test::sample_report(), view), HasSubstr("    f0819e58:   64636261\n"
                                                            "    f0819e5c: [<64636262>] ? panic+0x10/0x20\n"
                                                            "    f0819e60:   64636263\n"));
}

TEST(TextPrinter, WordsOfEightBytes) {
  Report report = test::sample_report();
  report.vcpus[0].stack->word_size = 8;
  report.vcpus[0].stack->from = GuestVirt(0xffff80000a0b3c40);
  View view;
  view.stack_format.tag = true;
  view.stack_format.lines = 1;
  EXPECT_THAT(print(report, view), HasSubstr("Stack from ffff80000a0b3c40:\n    ffff80000a0b3c40: 0000000064636261 "
                                             "0000000064636262 0000000064636263 0000000064636264\n"));
}

TEST(TextPrinter, MemoryAndMemoryAsStack) {
  Report report = test::sample_report();
  MemoryDump memory;
  memory.from = GuestVirt(0xc0008000);
  const char text[] = "Linux version";
  memory.bytes.resize(12);
  std::memcpy(memory.bytes.data(), text, 12);
  report.memory = {memory, memory};
  report.memory[1].names = {{2, "panic", 4, std::nullopt, "mod"}};
  report.memory[1].ended = "frame not available";
  View view;
  view.plain_memory = 1;
  view.memory_format.ascii = true;
  EXPECT_THAT(print(report, view), HasSubstr("Memory at c0008000:\n    756e694c 65762078 6f697372 "));
  EXPECT_THAT(print(report, view), HasSubstr("  Linux versio\n\nStack at c0008000:\n"));
  EXPECT_THAT(print(report, view), HasSubstr("    <frame not available>\n"
                                             "  Words that are addresses of code:\n"
                                             "    c0008008: [<6f697372>] ? panic+0x4 [mod]\n"));
}

TEST(TextPrinter, WhatIsUnknownIsNotSaid) {
  Report report;
  report.guest.identity.source = "dump-core";
  report.guest.arch = ArchId::arm64;
  EXPECT_EQ(print(report), "unnamed guest: arm64, from a dump-core file\nno symbols\n");
}

TEST(TextPrinter, WhyATraceEndsShort) {
  Report report = test::sample_report();
  report.vcpus[0].end = TraceEnd{EndReason::unreadable, "0xf081a000: not mapped by the guest", {}};
  EXPECT_THAT(print(report), HasSubstr("    ended: stack unreadable (0xf081a000: not mapped by the guest)\n"));
}

TEST(TextPrinter, VerboseSaysHowTheGuestWasDisturbed) {
  View view;
  view.verbose = true;
  EXPECT_THAT(print(test::sample_report(), view),
              HasSubstr("\nThe guest was paused for 812 us.\n23 pages of its memory were mapped.\n"));
}

TEST(TextPrinter, Info) {
  View view;
  view.info = true;
  view.registers = view.stack = view.trace = false;
  const std::string out = print(test::sample_report(), view);
  EXPECT_THAT(out, HasSubstr("kaslr offset  0x0\nkernel start  0xc0000000\n"));
  EXPECT_THAT(out, HasSubstr("architecture  arm32 (the processor mode is SVC)\n"));
  EXPECT_THAT(out, HasSubstr("modules       12\nvcpus         2\nvCPU 0: mode SVC, task 1 (init)\n"));
}

TEST(TextPrinter, HostileTextIsEscaped) {
  Report report = test::sample_report();
  report.guest.identity.name = "\x1b[2J";
  report.vcpus[0].frames[0].symbol = "a\nb";
  report.vcpus[0].frames[1].module = "\x07";
  report.warnings = {"w\r"};
  const std::string out = print(report);
  EXPECT_THAT(out, HasSubstr("\\x1b[2J (domid 3)"));
  EXPECT_THAT(out, HasSubstr("a\\x0ab+0x14"));
  EXPECT_THAT(out, HasSubstr("[\\x07]"));
  EXPECT_THAT(out, HasSubstr("w\\x0d"));
}

TEST(TextPrinter, ColoursOnlyWhenAsked) {
  View view;
  EXPECT_THAT(print(test::sample_report(), view), Not(HasSubstr("\x1b")));
  view.color = true;
  EXPECT_THAT(print(test::sample_report(), view), HasSubstr("\x1b[33m? __handle_sysrq+0x14/0x1c\x1b[0m"));
}

}  // namespace
}  // namespace xstack
