// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>

#include "base/text.h"
#include "tools/cli/commands.h"

namespace xstack {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kMib = 1024.0 * 1024.0;

/// One line on the terminal, written over itself about twice a second.
class ProgressLine {
 public:
  explicit ProgressLine(Output& err) : err_(err) {}

  void show(std::uint64_t done, std::uint64_t all) {
    const auto now = Clock::now();
    if (!started_) {
      // What came before the first of the memory took its time as well, and says nothing of the rest.
      started_ = shown_ = now;
      done_before_ = done;
    }
    if (done == done_before_ || now - shown_ < std::chrono::milliseconds(500)) {
      return;
    }
    shown_ = now;
    const double seconds = std::chrono::duration<double>(now - *started_).count();
    const double rate = static_cast<double>(done - done_before_) / seconds;
    const double left = static_cast<double>(all - done) / rate;
    const std::string line =
        fmt::format("{:.0f} of {:.0f} MiB, {:.0f} MiB/s, {:.0f} s left", static_cast<double>(done) / kMib,
                    static_cast<double>(all) / kMib, rate / kMib, left);
    (void)err_.write(fmt::format("\r{:<60}", line));
    dirty_ = true;
  }
  void clear() {
    if (dirty_) {
      (void)err_.write(fmt::format("\r{:60}\r", ""));
      dirty_ = false;
    }
  }

 private:
  Output& err_;
  std::optional<Clock::time_point> started_;
  Clock::time_point shown_;
  std::uint64_t done_before_ = 0;
  bool dirty_ = false;
};

}  // namespace

Result<ExitStatus> run_dump(const Invocation& invocation) {
  const auto& options = invocation.options;
  auto guest = open_guest(invocation);
  if (!guest) {
    return tl::unexpected(guest.error());
  }
  ProgressLine line(invocation.console.err);
  DumpRequest request;
  request.kernel = kernel_request(options);
  request.output = *options.output;
  request.format = options.format;
  request.compress = options.compress;
  request.keep = options.keep;
  request.skip = options.skip;
  request.numbers = options.numbers;
  request.pause = !options.live;
  if (options.verbose || ::isatty(STDERR_FILENO) == 1) {
    request.progress = [&line](std::uint64_t done, std::uint64_t all) {
      line.show(done, all);
      return true;
    };
  }
  const auto report = invocation.backend.write_dump(**guest, request);
  line.clear();
  if (!report) {
    return tl::unexpected(report.error());
  }
  std::string text = fmt::format("{}: {} vCPUs, {:.0f} MiB of memory", escape(*options.output), report->vcpus,
                                 static_cast<double>(report->memory_bytes) / kMib);
  if (report->zero_pages != 0) {
    text += fmt::format(", {:.0f} MiB of it zeros", static_cast<double>(report->zero_pages) * kXenPageSize / kMib);
  }
  if (!report->left_out.empty()) {
    text += "; left out: " + report->left_out;
  }
  if (options.verbose && options.format == CoreFormat::elf) {
    text += fmt::format(", {} segments", report->segments);
    if (report->aliases_left_out != 0) {
      text += fmt::format(" ({} more addresses of pages that have many are left out)", report->aliases_left_out);
    }
  }
  if (report->pause_us) {
    text += fmt::format(", paused for {} ms", *report->pause_us / 1000);
  }
  // The dump may be what standard output is for.
  Output& to = request.output == "-" ? invocation.console.err : invocation.console.out;
  if (auto written = to.write(text + "\n"); !written) {
    return tl::unexpected(written.error());
  }
  for (const std::string& warning : report->warnings) {
    complain(invocation.console, warning);
  }
  return report->partial ? ExitStatus::partial : ExitStatus::whole;
}

}  // namespace xstack
