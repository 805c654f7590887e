// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/run.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

#include "tests/support/fake_memory.h"
#include "tests/support/sample_report.h"

namespace xstack {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class NoPause final : public PauseGuard {
 public:
  std::optional<std::uint64_t> release() override { return std::nullopt; }
};

class FakeGuest final : public Guest {
 public:
  const GuestIdentity& identity() const override { return identity_; }
  Result<std::vector<VcpuContext>> vcpus() override { return std::vector<VcpuContext>{}; }
  PhysMemory& memory() override { return memory_; }
  std::vector<FrameRange> ram() override { return {}; }
  Result<std::unique_ptr<PauseGuard>> pause() override { return std::make_unique<NoPause>(); }
  const std::map<std::string, std::string>& facts() const override { return facts_; }
  const std::vector<std::string>& warnings() const override { return warnings_; }

 private:
  GuestIdentity identity_;
  test::FakePhys memory_;
  std::map<std::string, std::string> facts_;
  std::vector<std::string> warnings_;
};

/// A backend that remembers what it was asked and answers with the sample report.
class Run : public testing::Test {
 protected:
  ExitStatus run(std::vector<std::string> arguments) {
    const Backend backend{[&](const std::string& what) { return open("domain " + what); },
                          [&](const std::string& what) { return open("dump " + what); },
                          [&](Guest&, const ReportRequest& asked) {
                            request = asked;
                            return answer;
                          },
                          [&](Guest&, const ReportRequest& asked, const std::string& path) {
                            request = asked;
                            written = path;
                            return answer;
                          },
                          [&](Guest&, const KernelRequest&) { return log; },
                          [&](Guest&, const KernelRequest&) { return Result<ModuleListReport>(); }};
    return xstack::run(arguments, backend, {out, err});
  }

  Result<std::unique_ptr<Guest>> open(const std::string& what) {
    opened = what;
    if (refusal) {
      return tl::unexpected(*refusal);
    }
    return std::make_unique<FakeGuest>();
  }

  std::string opened;
  std::string written;
  std::optional<Error> refusal;
  ReportRequest request;
  Result<Report> answer = test::sample_report();
  Result<KernelLog> log;
  StringOutput out;
  StringOutput err;
};

TEST_F(Run, TraceAsksForAllAndPrintsText) {
  EXPECT_EQ(run({"domU"}), ExitStatus::whole);
  EXPECT_EQ(opened, "domain domU");
  EXPECT_TRUE(request.trace && request.kernel_facts && request.scan);
  EXPECT_THAT(request.vcpus, IsEmpty());
  EXPECT_EQ(request.stack_bytes, 4U * 32U);
  EXPECT_THAT(out.text(), StartsWith("domU (domid 3): crashed"));
  EXPECT_THAT(err.text(), IsEmpty());
}

TEST_F(Run, OptionsReachTheRequest) {
  EXPECT_EQ(run({"--core",       "f", "1",  "-s",     "map", "-k",  "0x80000000", "--arch", "arm64", "--no-scan",
                 "--max-frames", "9", "-m", "0x1ff0", "-l",  "all", "-n",         "2",      "-d",    "64"}),
            ExitStatus::whole);
  EXPECT_EQ(opened, "dump f");
  EXPECT_EQ(request.vcpus, std::vector<unsigned>{1});
  EXPECT_EQ(request.symbol_files, std::vector<std::string>{"map"});
  EXPECT_EQ(request.kernel_start, 0x80000000U);
  EXPECT_EQ(request.arch, ArchId::arm64);
  EXPECT_FALSE(request.scan);
  EXPECT_EQ(request.max_frames, 9U);
  EXPECT_EQ(request.stack_bytes, 2U * 4096U);
  EXPECT_TRUE(request.name_words);
  ASSERT_EQ(request.memory.size(), 2U);
  EXPECT_EQ(request.memory[0], (std::pair<GuestVirt, std::uint64_t>(GuestVirt(0x1ff0), 16 + 4096)));
  EXPECT_EQ(request.memory[1], (std::pair<GuestVirt, std::uint64_t>(GuestVirt(64), 4096 - 64 + 4096)));
}

TEST_F(Run, EachSubcommandAsksForWhatItShows) {
  EXPECT_EQ(run({"regs", "d"}), ExitStatus::whole);
  EXPECT_FALSE(request.trace || request.kernel_facts || request.stack_bytes);
  EXPECT_EQ(run({"stack", "d"}), ExitStatus::whole);
  EXPECT_FALSE(request.trace);
  EXPECT_EQ(request.stack_bytes, 0U) << "all there is";
  EXPECT_EQ(run({"info", "d"}), ExitStatus::whole);
  EXPECT_FALSE(request.trace);
  EXPECT_TRUE(request.kernel_facts);
  EXPECT_EQ(run({"capture", "d", "-o", "out.xc"}), ExitStatus::whole);
  EXPECT_EQ(written, "out.xc");
  EXPECT_TRUE(request.trace);
}

TEST_F(Run, JsonHasTheStackOnlyWhenAskedFor) {
  EXPECT_EQ(run({"--json", "d"}), ExitStatus::whole);
  EXPECT_EQ(request.stack_bytes, std::nullopt);
  EXPECT_THAT(out.text(), StartsWith("{\n  \"xstack\": 1,"));
  EXPECT_EQ(run({"--json", "-l", "2", "d"}), ExitStatus::whole);
  EXPECT_EQ(request.stack_bytes, 64U);
}

TEST_F(Run, ErrorsAreOneLineAndADocumentedStatus) {
  const std::pair<Errc, ExitStatus> cases[] = {
      {Errc::usage, ExitStatus::usage},
      {Errc::no_access, ExitStatus::no_access},
      {Errc::no_such_domain, ExitStatus::no_access},
      {Errc::vanished, ExitStatus::no_access},
      {Errc::io, ExitStatus::no_access},
      {Errc::bad_format, ExitStatus::not_understood},
      {Errc::truncated, ExitStatus::not_understood},
      {Errc::too_large, ExitStatus::not_understood},
  };
  for (const auto& [code, status] : cases) {
    refusal = Error{code, "no\nsuch"};
    StringOutput line;
    EXPECT_EQ(xstack::run(std::vector<std::string>{"d"},
                          {[&](const std::string& what) { return open(what); }, {}, {}, {}}, {out, line}),
              status);
    EXPECT_EQ(line.text(), "xstack: no\\x0asuch\n");
  }
  EXPECT_THAT(out.text(), IsEmpty());
}

TEST_F(Run, ARefusedDomainIsNoAccessAndAnUnsupportedDumpIsNotUnderstood) {
  refusal = Error{Errc::unsupported, "no"};
  EXPECT_EQ(run({"0"}), ExitStatus::no_access);
  EXPECT_EQ(run({"--core", "f"}), ExitStatus::not_understood);
}

TEST_F(Run, UsageErrors) {
  EXPECT_EQ(run({"-C", "3", "1"}), ExitStatus::usage);
  EXPECT_THAT(err.text(), StartsWith("xstack: -C, --all-vcpus"));
  EXPECT_EQ(opened, "");
}

TEST_F(Run, APartialAnswerIsPrintedAndSaysWhatIsMissing) {
  answer->partial = true;
  answer->warnings = {"vCPU 0: the trace breaks off"};
  EXPECT_EQ(run({"d"}), ExitStatus::partial);
  EXPECT_THAT(out.text(), HasSubstr("warning: vCPU 0: the trace breaks off\n"));
  EXPECT_THAT(err.text(), StartsWith("xstack: a partial answer: vCPU 0: the trace breaks off"));
}

TEST_F(Run, ExceptionsBecomeALineAndAStatus) {
  const Backend broken{
      [](const std::string&) -> Result<std::unique_ptr<Guest>> { throw std::runtime_error("boom"); }, {}, {}, {}};
  EXPECT_EQ(xstack::run(std::vector<std::string>{"d"}, broken, {out, err}), ExitStatus::not_understood);
  EXPECT_EQ(err.text(), "xstack: internal error: boom\n");
}

TEST_F(Run, HelpAndVersion) {
  EXPECT_EQ(run({"--help"}), ExitStatus::whole);
  EXPECT_THAT(out.text(), StartsWith("usage: xstack"));
  EXPECT_EQ(run({"--version"}), ExitStatus::whole);
  EXPECT_THAT(out.text(), HasSubstr("\nxen: "));
}

/// check-config with a guest whose configuration is `text`.
class CheckConfig : public testing::Test {
 protected:
  ExitStatus run(std::vector<std::string> arguments) {
    Backend backend;
    const auto open = [](const std::string&) { return Result<std::unique_ptr<Guest>>(std::make_unique<FakeGuest>()); };
    backend.open_domain = open;
    backend.open_dump = open;
    backend.read_config = [&](Guest&, const KernelRequest&) -> Result<FoundConfig> {
      return FoundConfig{*KernelConfig::parse(text), "the test"};
    };
    return xstack::run(arguments, backend, {out, err});
  }

  std::string text =
      "# Automatically generated file; DO NOT EDIT.\nCONFIG_ARM64=y\nCONFIG_XEN=y\nCONFIG_HVC_XEN=y\n"
      "CONFIG_OF=y\nCONFIG_XEN_BLKDEV_FRONTEND=m\nCONFIG_XEN_NETDEV_FRONTEND=y\n";
  StringOutput out;
  StringOutput err;
};

TEST_F(CheckConfig, StatusSaysHowFitItIs) {
  EXPECT_EQ(run({"check-config", "--role", "domu", "no-such-file"}), ExitStatus::lacks_recommended) << out.text();
  EXPECT_EQ(run({"check-config", "--core", "f"}), ExitStatus::unfit) << "not to be traced";
  text += "CONFIG_XEN_BALLOON=y\n";
  EXPECT_EQ(run({"check-config", "--role", "domu", "--core", "f"}), ExitStatus::whole);
  EXPECT_EQ(run({"check-config", "--role", "dom0,domu", "--core", "f"}), ExitStatus::unfit);
  text = "CONFIG_ARM64=y\n";
  EXPECT_EQ(run({"check-config", "--role", "domu", "--core", "f"}), ExitStatus::partial);
  EXPECT_EQ(run({"check-config", "--role", "domu", "--fix", "--core", "f"}), ExitStatus::whole);
  EXPECT_THAT(err.text(), IsEmpty());
}

TEST_F(CheckConfig, AGuestIsNoDom0UnlessAskedFor) {
  (void)run({"check-config", "domU"});
  EXPECT_THAT(out.text(), testing::Not(HasSubstr("\ndom0: ")));
  EXPECT_THAT(out.text(), testing::AllOf(HasSubstr("\ndomu: "), HasSubstr("\ntrace: ")));
}

TEST_F(CheckConfig, TheArchitectureMayHaveToBeSaid) {
  text = "CONFIG_XEN=y\n";
  EXPECT_EQ(run({"check-config", "domU"}), ExitStatus::not_understood);
  EXPECT_THAT(err.text(), HasSubstr("--arch"));
  EXPECT_EQ(run({"check-config", "--arch", "x86_64", "--role", "trace", "domU"}), ExitStatus::partial);
}

TEST(FdOutput, AReaderThatWentAwayIsQuiet) {
  (void)std::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> fds{};
  ASSERT_EQ(::pipe(fds.data()), 0);
  ::close(fds[0]);
  FdOutput output(fds[1]);
  EXPECT_TRUE(output.write("text"));
  EXPECT_TRUE(output.write("more"));
  ::close(fds[1]);
}

TEST(FdOutput, AFullDiskIsAnError) {
  const int fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    GTEST_SKIP() << "no /dev/full here";
  }
  FdOutput output(fd);
  const auto written = output.write("text");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::io);
  ::close(fd);
}

}  // namespace
}  // namespace xstack
