// SPDX-License-Identifier: LGPL-2.1-or-later
// `xstack log` as a whole: files in, output and exit status out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

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
                           "interleaved-domains", "xen-key-d-arm32-guest-on-arm64", "not-utf8", "hung-task"}) {
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
