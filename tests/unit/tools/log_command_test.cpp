// SPDX-License-Identifier: LGPL-2.1-or-later
// `xstack log` as a whole: files in, output and exit status out.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <span>
#include <sstream>
#include <thread>

#include "symbols/debug_file.h"
#include "tests/support/elf_builder.h"
#include "tests/support/json_schema.h"
#include "tests/unit/guest/scratch_directory.h"
#include "tools/cli/run.h"

namespace xstack {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string form(const std::string& name) {
  return std::string(XSTACK_LOGS) + "/" + name + ".log";
}

class LogCommand : public testing::Test {
 protected:
  ExitStatus run(std::vector<std::string> arguments, bool terminal = false) {
    arguments.insert(arguments.begin(), "log");
    StringOutput out;
    StringOutput err;
    const auto status = xstack::run(arguments, real_backend(), {out, err, false, terminal});
    out_ = out.text();
    err_ = err.text();
    return status;
  }
  std::string file(const std::string& name, const std::string& text) {
    const std::string path = scratch_.file(name);
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  /// The signature of the first report of a form.
  std::string signature(const std::string& name) {
    (void)run({"--json", form(name)});
    return nlohmann::json::parse(out_.substr(0, out_.find('\n'))).at("signature").get<std::string>();
  }

  test::ScratchDirectory scratch_;
  std::string out_;
  std::string err_;
};

TEST_F(LogCommand, CopiesTheLogAndSaysThatItCrashed) {
  EXPECT_EQ(run({form("arm64-oops")}), ExitStatus::crash_found);
  EXPECT_EQ(out_, slurp(form("arm64-oops")));
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(LogCommand, NothingIsFoundInCleanLogs) {
  EXPECT_EQ(run({"--json", form("clean-amd64-xen"), form("no-report-lookalikes")}), ExitStatus::whole);
  EXPECT_THAT(out_, IsEmpty());
}

TEST_F(LogCommand, WarningsCountWhenAsked) {
  EXPECT_EQ(run({form("arm64-warning")}), ExitStatus::whole);
  EXPECT_EQ(run({"--fail-on", "panic,warning", form("arm64-warning")}), ExitStatus::crash_found);
  EXPECT_EQ(run({"--fail-on=all", form("xen-key-q")}), ExitStatus::crash_found);
  EXPECT_EQ(run({"--fail-on=oops", form("arm64-panic-7.2")}), ExitStatus::whole);
  EXPECT_EQ(run({"--fail-on=nonsense", form("arm64-panic-7.2")}), ExitStatus::usage);
}

TEST_F(LogCommand, KnownCrashesHaveAStatusOfTheirOwn) {
  const auto known = file("known", "# expected\n" + signature("arm64-oops") + "  the test crashes\n");
  EXPECT_EQ(run({"--known", known, form("arm64-oops")}), ExitStatus::only_known);
  EXPECT_EQ(run({"--known", known, form("arm64-oops"), form("kasan")}), ExitStatus::crash_found);
  EXPECT_EQ(run({"--known", scratch_.file("absent"), form("kasan")}), ExitStatus::no_access);
}

TEST_F(LogCommand, JsonIsWhatTheSchemaSays) {
  test::SchemaValidator validator(nlohmann::json::parse(slurp(XSTACK_LOG_SCHEMA)));
  for (const char* name : {"arm64-oops", "arm32-oops-6.1", "x86-oops-3.x", "xen-domain-crash-pv", "xen-panic-x86",
                           "interleaved-domains", "xen-key-d-arm32-guest-on-arm64", "not-utf8", "hung-task",
                           "xen-panic-x86-nmi-real", "xen-panic-arm32-real", "arm64-kfence", "x86-32-oops-5.10"}) {
    (void)run({"--json", form(name)});
    std::istringstream lines(out_);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      EXPECT_THAT(validator.errors(nlohmann::json::parse(line)), IsEmpty()) << line;
    }
    EXPECT_GT(count, 0) << name;
  }
}

TEST_F(LogCommand, OnlyPrintsReportsBelowAHeading) {
  const auto log = file("log", "before\n" + slurp(form("arm64-panic-7.2")) + "after\n");
  (void)run({"--only", log});
  EXPECT_THAT(out_, StartsWith("--- panic, lines 3-"));
  EXPECT_THAT(out_, HasSubstr("sysrq_handle_crash+0x24/0x38"));
  EXPECT_THAT(out_, Not(HasSubstr("before")));
  EXPECT_THAT(out_, Not(HasSubstr("after")));
}

TEST_F(LogCommand, SummaryCountsSignaturesOverFiles) {
  (void)run({"--summary", form("prefix-d3"), form("arm64-panic-7.2"), form("kasan")});
  EXPECT_THAT(out_, StartsWith("     2 panic-"));
  EXPECT_THAT(out_, HasSubstr("     1 kasan-"));
}

TEST_F(LogCommand, JunitHasAFailureForEachCrash) {
  const auto path = scratch_.file("junit.xml");
  (void)run({"--junit", path, form("kasan"), form("clean-amd64-xen")});
  const auto xml = slurp(path);
  EXPECT_THAT(xml, HasSubstr("tests=\"1\" failures=\"1\""));
  EXPECT_THAT(xml, HasSubstr("tests=\"1\" failures=\"0\""));
  EXPECT_THAT(xml, HasSubstr("<failure type=\"kasan\""));
}

TEST_F(LogCommand, TerminalsGetNoControlCharacters) {
  const auto log = file("log", "\x1b[2J plain\nKernel panic - not syncing: \x1b]0;x\x07 \xff\nmore \x9b\n");
  (void)run({log}, true);
  for (const char c : out_) {
    EXPECT_TRUE(c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f)) << static_cast<int>(c);
  }
  (void)run({log}, false);
  EXPECT_EQ(out_, slurp(log));
}

TEST_F(LogCommand, NamesComeFromTheFileOfTheDomain) {
  const auto map = file("System.map",
                        "ffffffff81000000 T _stext\nffffffff8102c100 T lab_hypercall\n"
                        "ffffffff8102c200 T lab_next\nffffffff81069d00 T lab_caller\n"
                        "ffffffff81070000 T lab_end\nffffffff82000000 T _etext\n");
  (void)run({"-s", "d3=" + map, form("xen-domain-crash-pv")});
  EXPECT_THAT(out_, HasSubstr("RIP:    e033:[<ffffffff8102c160>]  # lab_hypercall+0x60/0x100\n"));
  EXPECT_THAT(out_, HasSubstr("lab_caller+0x57"));
  (void)run({"-s", "d4=" + map, form("xen-domain-crash-pv")});
  EXPECT_EQ(out_, slurp(form("xen-domain-crash-pv")));
}

/// A map in which one address has this name.
std::string map_with(const std::string& name) {
  return "ffffffff81000000 T _stext\nffffffff81000100 T " + name +
         "\nffffffff81000200 T end\nffffffff82000000 T _etext\n";
}

/// What a kernel of this release writes of that address, behind `prefix`.
std::string panic_at(const std::string& prefix, const std::string& release) {
  return prefix + "[    0.000000] Linux version " + release + " (gcc)\n" + prefix +
         "[    9.000000] Kernel panic - not syncing: x\n" + prefix + "[    9.000000] Call Trace:\n" + prefix +
         "[    9.000000]  [<ffffffff81000150>] 0xffffffff81000150\n" + prefix +
         "[    9.000000] ---[ end Kernel panic - not syncing: x\n";
}

TEST_F(LogCommand, EveryWriterHasItsOwnSymbols) {
  const auto log =
      file("log", "(XEN) Xen version 4.17.5\n" + panic_at("", "6.1.0-a") + panic_at("(d3) ", "6.1.0-b") +
                      "(XEN) Xen call trace:\n(XEN)    [<ffffffff81000150>] 0xffffffff81000150\n(XEN) x\n");
  (void)run({"--debug-dir", "none", "-s", "dom0=" + file("m0", map_with("of_dom0")), "-s",
             "d3=" + file("m3", map_with("of_d3")), "-s", "xen=" + file("mx", map_with("of_xen")), log});
  EXPECT_THAT(out_, HasSubstr("\n[    9.000000]  [<ffffffff81000150>] 0xffffffff81000150  # of_dom0+0x50/0x100\n"));
  EXPECT_THAT(out_, HasSubstr("\n(d3) [    9.000000]  [<ffffffff81000150>] 0xffffffff81000150  # of_d3+0x50/0x100\n"));
  EXPECT_THAT(out_, HasSubstr("\n(XEN)    [<ffffffff81000150>] 0xffffffff81000150  # of_xen+0x50/0x100\n"));
}

TEST_F(LogCommand, SymbolsAreFoundByTheRelease) {
  const auto log = file("log", panic_at("(d1) ", "6.1.0-a") + panic_at("(d2) ", "6.1.0-b"));
  std::filesystem::create_directories(scratch_.file("boot"));
  (void)file("boot/System.map-6.1.0-a", map_with("of_a"));
  (void)file("System.map-6.1.0-b", map_with("of_b"));
  (void)run({"--debug-dir", scratch_.file(""), log});
  EXPECT_THAT(out_, HasSubstr("\n(d1) [    9.000000]  [<ffffffff81000150>] 0xffffffff81000150  # of_a+0x50/0x100\n"));
  EXPECT_THAT(out_, HasSubstr("\n(d2) [    9.000000]  [<ffffffff81000150>] 0xffffffff81000150  # of_b+0x50/0x100\n"));
  // A file whose name says another release is not this kernel's, unless the user says so.
  (void)run({"--debug-dir", "none", "-s", scratch_.file("System.map-6.1.0-b"), log});
  EXPECT_THAT(out_, Not(HasSubstr("(d1) [    9.000000]  [<ffffffff81000150>] 0xffffffff81000150  #")));
  EXPECT_THAT(out_, HasSubstr("# of_b+0x50/0x100"));
  (void)run({"--debug-dir", "none", "-s", "d1=" + scratch_.file("System.map-6.1.0-b"), log});
  EXPECT_THAT(out_, HasSubstr("(d1) [    9.000000]  [<ffffffff81000150>] 0xffffffff81000150  # of_b+0x50/0x100\n"));
}

TEST_F(LogCommand, FramesOfModulesHaveLines) {
  const std::string fixture = std::string(XSTACK_FIXTURES) + "/dwarf5.ko";
  auto module = DebugFile::open(fixture, std::nullopt);
  ASSERT_TRUE(module);
  std::uint64_t size = 0;
  for (const auto& function : (*module)->functions()) {
    size = function.name == "outer" ? function.size : size;
  }
  std::filesystem::create_directories(scratch_.file("lib/modules/6.1.0-lab/kernel"));
  (void)file("lib/modules/6.1.0-lab/kernel/lab-mod.ko", slurp(fixture));
  const auto log = file(
      "log", fmt::format("(d3) Linux version 6.1.0-lab (gcc)\n(d3) Kernel panic - not syncing: x\n(d3) Call Trace:\n"
                         "(d3)  outer+0x{0:x}/0x{0:x} [lab_mod]\n(d3) ---[ end Kernel panic - not syncing: x\n",
                         size));
  for (const auto& options :
       {std::vector<std::string>{"--debug-dir", scratch_.file("")},
        {"--debug-dir", "none", "-s", "d3=" + scratch_.file("lib/modules/6.1.0-lab/kernel/lab-mod.ko")}}) {
    auto arguments = options;
    arguments.push_back(log);
    (void)run(arguments);
    EXPECT_THAT(out_, HasSubstr(" [lab_mod]  # ")) << options[1];
    EXPECT_THAT(out_, HasSubstr("fixture.c:19\n"));
    EXPECT_THAT(err_, IsEmpty());
  }
  (void)run({"--debug-dir", "none", "-s", "d4=" + scratch_.file("lib/modules/6.1.0-lab/kernel/lab-mod.ko"), log});
  EXPECT_EQ(out_, slurp(log));
}

TEST_F(LogCommand, QuietLogsSayHowFarTheBootCame) {
  const auto hangs = file("hangs", "(XEN) Xen version 4.17.5\n(XEN) *** LOADING DOMAIN 0 ***\n");
  const auto fine = file("fine", "[    0.000000] Linux version 6.1.0 (gcc)\nlab login: \n");
  const auto junit = scratch_.file("junit.xml");
  (void)run({"--summary", "--verbose", "--junit", junit, fine, hangs, fine, form("kasan")});
  EXPECT_THAT(out_,
              HasSubstr("     2 no crash, reached login (" + fine + ")\n     1 no crash, reached Xen, which loads "));
  EXPECT_THAT(err_, HasSubstr(hangs + ": 2 lines, reached Xen, which loads domain 0\n"));
  EXPECT_THAT(slurp(junit), HasSubstr("<system-out>reached Xen, which loads domain 0</system-out>"));
}

TEST_F(LogCommand, TheSlideIsTakenFromTheLog) {
  const auto map = file("System.map",
                        "ffffffff81000000 T _stext\nffffffff81000100 T lab\nffffffff81000200 T lab_end\n"
                        "ffffffff82000000 T _etext\n");
  const auto log = file("log",
                        "Kernel panic - not syncing: x\nCall Trace:\n [<ffffffff91000150>] 0xffffffff91000150\n"
                        "Kernel Offset: 0x10000000 from 0xffffffff81000000\n");
  (void)run({"-s", map, log});
  EXPECT_THAT(out_, HasSubstr("# lab+0x50/0x100"));
}

TEST_F(LogCommand, APanicOfAWarningCounts) {
  EXPECT_EQ(run({form("panic-on-warn")}), ExitStatus::crash_found);
  EXPECT_EQ(run({"--fail-on", "oops", form("panic-on-warn")}), ExitStatus::whole);
  EXPECT_EQ(run({form("warning-then-panic")}), ExitStatus::crash_found);
}

/// Of a vCPU in lab_inner: its frame record is the first of the rows that follow.
const std::string kArm64Registers =
    "(XEN) ----[ Xen-4.17.5  arm64  debug=n  Not tainted ]----\n"
    "(XEN) CPU:    0\n(XEN) PC:     ffff800008010040\n(XEN) LR:     ffff800008010140\n"
    "(XEN) SP_EL0: 0000ffffd8e1a2b0\n(XEN) SP_EL1: ffff80000a25be20\n"
    "(XEN) CPSR:   0000000060000005 MODE:64-bit EL1h (Guest Kernel, handler)\n"
    "(XEN)      X0: 0000000000000000  X1: 0000000000000001  X2: 0000000000000001\n"
    "(XEN)     X27: 0000000000000000 X28: 0000000000000000  FP: ffff80000a25be20\n(XEN) \n"
    "(XEN) Guest stack trace from sp=ffff80000a25be20:\n";

TEST_F(LogCommand, RegistersAndRowsMakeATrace) {
  // Frame records: x29 points to the first, each holds its caller's x29 and return address.
  const auto map = file("System.map",
                        "ffff800008000000 T _stext\nffff800008010000 T lab_inner\nffff800008010100 T lab_middle\n"
                        "ffff800008010200 T lab_outer\nffff800008010300 T lab_end\nffff800009000000 T _etext\n");
  const auto log = file("log", "(XEN) Domain 5 (vcpu#1) crashed on cpu#0:\n" + kArm64Registers +
                                   "(XEN)    ffff80000a25be40 ffff800008010140 0000000000000000 0000000000000000\n"
                                   "(XEN)    0000000000000000 ffff800008010240 0000000000000000 0000000000000000\n"
                                   "after\n");
  (void)run({"--debug-dir", "none", "-s", "d5=" + map, log});
  EXPECT_THAT(out_, HasSubstr("# trace of d5v1, from the registers and the stack above:\n"
                              "#   lab_inner+0x40/0x100 (registers)\n#   lab_middle+0x40/0x100 (frame)\n"
                              "#   lab_outer+0x40/0x100 (frame)\n# it ends here: "));
  EXPECT_THAT(out_, testing::EndsWith("\nafter\n"));
  (void)run({"--json", "--debug-dir", "none", "-s", "d5=" + map, log});
  const auto report = nlohmann::json::parse(out_);
  ASSERT_EQ(report.at("frames").size(), 3U);
  EXPECT_EQ(report.at("frames")[2].at("symbol"), "lab_outer");
  EXPECT_EQ(report.at("frames")[2].at("found_by"), "frame");
  test::SchemaValidator validator(nlohmann::json::parse(slurp(XSTACK_LOG_SCHEMA)));
  EXPECT_THAT(validator.errors(report), IsEmpty());
}

TEST_F(LogCommand, WhatTheKernelWritesIsNotReadFromItsFile) {
  // The stack of the first task is in the kernel's data: the file has zeros there, which would look like its end.
  constexpr std::uint64_t kData = 0xffff800009100000;
  auto image = test::build_elf(EM_AARCH64, {{"_stext", 0xffff800008000000},
                                            {"lab_inner", 0xffff800008010000, 0x100},
                                            {"lab_middle", 0xffff800008010100, 0x100},
                                            {"lab_end", 0xffff800008010200},
                                            {"_etext", 0xffff800009000000},
                                            {"_sdata", kData},
                                            {"_edata", kData + 0x1000}});
  test::add_segment(image, kData, std::vector<std::byte>(0x1000));
  const auto vmlinux = file("vmlinux", std::string(reinterpret_cast<const char*>(image.data()), image.size()));
  const auto log = file("log", "(XEN) *** Dumping CPU0 guest state (d5v1): ***\n" + kArm64Registers +
                                   "(XEN)    ffff800009100e00 ffff800008010140 0000000000000000 0000000000000000\n");
  (void)run({"--debug-dir", "none", "-s", "d5=" + vmlinux, log});
  EXPECT_THAT(out_, HasSubstr("#   lab_middle+0x40/0x100 (frame)\n# it ends here: stack unreadable\n"));
}

TEST_F(LogCommand, WithoutRecordsTheWordsOfTheStackAreGuesses) {
  const auto map = file("System.map",
                        "ffffffff81000000 T _stext\nffffffff8102c100 T lab_hypercall\n"
                        "ffffffff8102c200 T lab_next\nffffffff81069d00 T lab_caller\n"
                        "ffffffff81070000 T lab_end\nffffffff82000000 T _etext\n");
  (void)run({"--json", "--debug-dir", "none", "-s", "d3=" + map, form("xen-domain-crash-pv")});
  const auto report = nlohmann::json::parse(out_);
  ASSERT_EQ(report.at("frames").size(), 3U) << out_;
  EXPECT_FALSE(report.at("frames")[0].contains("guess"));
  EXPECT_EQ(report.at("frames")[2].at("symbol"), "lab_caller");
  EXPECT_EQ(report.at("frames")[2].at("guess"), true);
}

TEST_F(LogCommand, WordsOfA32BitGuestAreSplit) {
  const auto map = file("System.map",
                        "c0300000 T _stext\nc0309900 T lab_idle\nc0309a00 T lab_next\nc0388a00 T lab_caller\n"
                        "c0388b00 T lab_end\nc0c2d100 T lab_pc\nc0c2d200 T lab_pc_end\nc1000000 T _etext\n");
  (void)run({"--json", "--debug-dir", "none", "-s", "d4=" + map, form("xen-key-d-arm32-guest-on-arm64")});
  std::vector<std::string> names;
  std::istringstream lines(out_);
  for (std::string line; std::getline(lines, line);) {
    const auto report = nlohmann::json::parse(line);
    for (const auto& frame : report.at("frames")) {
      names.push_back(frame.value("symbol", "?"));
    }
  }
  EXPECT_THAT(names, testing::IsSupersetOf({"lab_pc", "lab_idle", "lab_caller"}));
}

/// What the guest of the first report in xen-keys-arm32-guest-on-arm64-real was: a module that spins in its functions.
std::vector<std::string> spinning_frames(const std::string& json_lines) {
  std::vector<std::string> frames;
  std::istringstream lines(json_lines);
  for (std::string line; std::getline(lines, line);) {
    const auto report = nlohmann::json::parse(line);
    if (report.at("registers").value("pc", "") == "0xbf00501c") {
      for (const auto& frame : report.at("frames")) {
        const std::string name = frame.value("symbol", frame.value("address", "?"));
        frames.push_back(name + (frame.contains("module") ? " " + frame.value("module", "") : "") +
                         (frame.contains("guess") ? " ?" : ""));
      }
    }
  }
  return frames;
}

constexpr std::string_view kSpinningKernel =
    "c0400000 T _stext\nc0400150 T ret_from_fork\nc0400180 T lab_end\nc0472054 T kthread_complete_and_exit\n"
    "c0472078 t kthread\nc047216c T lab_end2\nc0e53c94 T dump_stack_lvl\nc0e53ce0 T dump_stack\nc1000000 D _etext\n";

TEST_F(LogCommand, Arm64FrameRecordsLeadThroughAModule) {
  const auto map = file("System.map",
                        "ffff800008010000 T _stext\nffff8000080166cc T ret_from_fork\nffff8000080166ec T lab_end\n"
                        "ffff8000080c69b0 t kthread\nffff8000080c6a94 T lab_end2\nffff800008d00000 D _etext\n");
  (void)run({"--debug-dir", "none", "-s", "d1=" + map, form("xen-keys-arm64-running-real")});
  // The live trace has lab_inner, lab_middle, lab_outer and lab_thread for the first four.
  EXPECT_THAT(out_, HasSubstr("\n#   0xffff800000d0f030 (registers)\r\n#   0xffff800000d0f064 (frame)\r\n"
                              "#   0xffff800000d0f08c (frame)\r\n#   0xffff800000d0f0b8 (frame)\r\n"
                              "#   kthread+0xe0/0xe4 (frame)\r\n#   ret_from_fork+0x10/0x20 (frame)\r\n"));
}

TEST_F(LogCommand, AVcpuInAModuleHasATrace) {
  const std::string kernel(kSpinningKernel);
  const auto map = file("System.map", kernel);
  const auto kallsyms = file("kallsyms", kernel +
                                             "bf005000 t lab_inner\t[labmod]\nbf005060 t lab_middle\t[labmod]\n"
                                             "bf005078 t lab_outer\t[labmod]\nbf005090 t lab_thread\t[labmod]\n"
                                             "bf007000 d lab_go\t[labmod]\n");
  const std::string log = form("xen-keys-arm32-guest-on-arm64-real");
  (void)run({"--json", "--debug-dir", "none", "-s", "d1=" + map, log});
  EXPECT_THAT(spinning_frames(out_), testing::ElementsAre("0xbf00501c", "kthread ?", "ret_from_fork ?"));
  (void)run({"--json", "--debug-dir", "none", "-s", "d1=" + kallsyms, log});
  EXPECT_THAT(spinning_frames(out_),
              testing::ElementsAre("lab_inner labmod", "lab_middle labmod ?", "lab_outer labmod ?",
                                   "lab_thread labmod ?", "kthread ?", "ret_from_fork ?"));
  (void)run({"--debug-dir", "none", "-s", "d1=" + kallsyms, log});
  EXPECT_THAT(out_, HasSubstr("PC:     bf00501c  # lab_inner+0x1c/0x60 [labmod]"));
}

TEST_F(LogCommand, A32BitX86VcpuInAModuleHasATrace) {
  constexpr std::uint64_t kText = 0xc1001000;
  std::vector<std::byte> code(0x1000, std::byte{0x90});
  code[0x103] = std::byte{0xff};  // call *%eax, which returns to lab_caller+0x105
  code[0x104] = std::byte{0xd0};
  auto image = test::build_elf<test::Elf32Image>(
      EM_386,
      {{"_stext", kText}, {"lab_caller", kText, 0x200}, {"lab_other", kText + 0x200}, {"_etext", kText + 0x1000}});
  test::add_segment<test::Elf32Image>(image, kText, code);
  const auto vmlinux = file("vmlinux", std::string(reinterpret_cast<const char*>(image.data()), image.size()));
  for (const auto& [pc, traced] : {std::pair("00000000f8001000", true), {"00000000c0001000", false}}) {
    const auto log = file("log", std::string("(XEN) *** Dumping CPU0 guest state (d5v0): ***\n"
                                             "(XEN) ----[ Xen-4.17.5  x86_64  debug=n  Not tainted ]----\n"
                                             "(XEN) CPU:    0\n(XEN) RIP:    e019:[<") +
                                     pc +
                                     ">]\n"
                                     "(XEN) RFLAGS: 0000000000000246   EM: 1   CONTEXT: pv guest (d5v0)\n"
                                     "(XEN) rbp: 0000000000000001   rsp: 00000000c20f1fd0   r8:  0000000000000000\n"
                                     "(XEN) Guest stack trace from esp=c20f1fd0:\n"
                                     "(XEN)   00000000 c1001205 c1001105 00000000\n");
    (void)run({"--debug-dir", "none", "-s", "d5=" + vmlinux, log});
    EXPECT_EQ(out_.find("#   lab_caller+0x105/0x200 (guess)\n") != std::string::npos, traced) << out_;
  }
}

TEST_F(LogCommand, Arm32ExceptionModesHoldTheirHandlersAddresses) {
  const auto map = file("System.map",
                        "c0400000 T _stext\nc0400ac0 t lab_before\nc0400ae0 t lab_dabt\nc0400b00 t lab_between\n"
                        "c0400b40 t lab_irq\nc0400b80 t lab_after\nc1000000 D _etext\n");
  (void)run({"--debug-dir", "none", "-s", "d1=" + map, form("xen-keys-arm32-running-real")});
  EXPECT_THAT(out_, HasSubstr("LR: c0400ae0 SPSR:60040193  # lab_dabt+0x0"));
  EXPECT_THAT(out_, HasSubstr("LR: c0400b40 SPSR:60040193  # lab_irq+0x0"));
}

TEST_F(LogCommand, SymbolsDoNotChangeSignatures) {
  const auto map = file("System.map",
                        "ffff800008000000 T _stext\nffff80000808cb00 T lab\nffff800008100000 T lab_end\n"
                        "ffff800009000000 T _etext\n");
  for (const char* name : {"xen-domain-crash-arm64", "xen-domain-crash-pv", "arm64-oops", "arm32-panic-5.10-old",
                           "xen-panic-x86", "xen-key-d-arm32-guest-on-arm64", "xen-keys-arm32-guest-on-arm64-real"}) {
    const std::string without = signature(name);
    (void)run({"--json", "-s", map, form(name)});
    EXPECT_EQ(nlohmann::json::parse(out_.substr(0, out_.find('\n'))).at("signature"), without) << name;
  }
}

TEST_F(LogCommand, KaslrAndTimesDoNotChangeSignatures) {
  const auto log = [&](const std::string& time, const std::string& address) {
    return file("log" + time,
                "[" + time + "] BUG: unable to handle page fault for address: " + address + "\n[" + time +
                    "] Oops: 0002 [#1] SMP NOPTI\n[" + time + "] CPU: 1 PID: 77 Comm: sh Not tainted 6.1.0 #1\n[" +
                    time + "] RIP: 0010:[<" + address + ">] lab_write+0x10/0x40\n[" + time + "] Call Trace:\n[" + time +
                    "]  [<" + address + ">] lab_read+0x1/0x20\n[" + time + "] ---[ end trace 0123456789abcdef ]---\n");
  };
  std::set<std::string> signatures;
  for (const auto& path : {log("    1.000001", "ffffffff81234567"), log(" 4711.123456", "ffffffffa3234567")}) {
    (void)run({"--json", path});
    signatures.insert(nlohmann::json::parse(out_.substr(0, out_.find('\n'))).at("signature").get<std::string>());
  }
  EXPECT_EQ(signatures.size(), 1U);
}

/// Takes what comes until there is enough of it, and then is full.
class LimitedOutput final : public Output {
 public:
  explicit LimitedOutput(std::string until) : until_(std::move(until)) {}
  Result<void> write(std::string_view text) override {
    text_ += text;
    return text_.find(until_) == std::string::npos ? Result<void>() : fail(Errc::io, "full");
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string until_;
  std::string text_;
};

TEST_F(LogCommand, FollowsAFileThatGrows) {
  const auto log = file("log", "first\n");
  LimitedOutput out("\"title\":\"Kernel panic - not syncing: late\"");
  StringOutput err;
  std::thread writer(
      [&] {
        std::ofstream(log, std::ios::app)
            << "Kernel panic - not syncing: late\nCPU: 0 PID: 1 Comm: init Not tainted 6.1.0\n";
      });
  const std::vector<std::string> arguments = {"log", "--follow", "--json", log};
  (void)xstack::run(arguments, real_backend(), {out, err, false, false});
  writer.join();
  EXPECT_THAT(out.text(), HasSubstr("\"kind\":\"panic\""));
}

TEST_F(LogCommand, SaysWhatItCannotRead) {
  EXPECT_EQ(run({scratch_.file("absent")}), ExitStatus::no_access);
  EXPECT_THAT(err_, HasSubstr("No such file"));
  EXPECT_EQ(run({"-s", scratch_.file("absent"), form("arm64-warning")}), ExitStatus::partial);
  EXPECT_EQ(run({scratch_.file("absent"), form("kasan")}), ExitStatus::crash_found);
  EXPECT_EQ(run({"--json", "--summary", form("kasan")}), ExitStatus::usage);
  EXPECT_EQ(run({"--core", "x"}), ExitStatus::usage);
}

}  // namespace
}  // namespace xstack
