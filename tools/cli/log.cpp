// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include "base/text.h"
#include "logs/scanner.h"
#include "logs/source.h"
#include "logs/symbol_store.h"
#include "logs/writers.h"
#include "tools/cli/commands.h"
#include "tools/cli/interrupts.h"
#include "tools/cli/log_writer.h"

namespace xstack {
namespace {

using logs::Kind;
using logs::Report;
using logs::Spot;

constexpr unsigned kIdleMs = 5000;  ///< after so long without more, a report of a live log is complete

/// Signatures that are expected: one a line, what follows on the line is for people, as are lines that begin with '#'.
Result<std::set<std::string>> read_known(const std::vector<std::string>& files) {
  std::set<std::string> known;
  for (const auto& path : files) {
    std::ifstream in(path);
    if (!in) {
      return fail(Errc::io, fmt::format("--known: {} cannot be read", path));
    }
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string first;
      if (words >> first && first[0] != '#') {
        known.insert(first);
      }
    }
  }
  return known;
}

/// Everything that one run makes of the reports of all its logs.
class LogRun final : public logs::Sink {
 public:
  LogRun(const Invocation& invocation, std::set<std::string> known)
      : options_(invocation.options),
        out_(invocation.console.out),
        terminal_(invocation.console.terminal),
        copies_(!options_.json && !options_.summary),
        known_(std::move(known)),
        store_(specs(options_), options_.debug_directories) {}

  void begin(const std::string& file) {
    file_ = file;
    quiet_ = true;
    junit_.begin_log(file);
  }

  /// Where what it writes is gathered.
  [[nodiscard]] LogWriter& writer() { return out_; }

  void plain(std::string_view text) override {
    if (!copies_ || options_.only) {
      return;
    }
    if (terminal_) {
      out_.add(logs::for_terminal(text));
    } else {
      out_.add_lasting(text);
    }
  }

  void report(Report& report, std::span<const Spot> spots) override {
    auto notes = store_.name(report, spots);
    report.known = known_.contains(report.signature);
    // A warning that a kernel panicked of is a panic.
    const bool fails = counts(report.kind) || (!report.panic.empty() && counts(Kind::panic));
    quiet_ = quiet_ && !fails;
    crash_ = crash_ || (fails && !report.known);
    known_crash_ = known_crash_ || (fails && report.known);
    if (options_.json) {
      out_.add(logs::json_line(report, file_));
    }
    if (options_.summary) {
      summary_.add(report, file_);
    }
    if (options_.junit) {
      junit_.add(report, fails && !report.known);
    }
    if (copies_) {
      add_notes(std::move(notes));
      if (options_.only) {
        headings_.emplace(report.first_line, logs::heading(report));
      }
    }
  }

  void line(std::string_view text, std::uint64_t number, bool owned) override {
    if (!copies_ || (options_.only && !owned)) {
      return;
    }
    while (!headings_.empty() && headings_.begin()->first <= number) {
      out_.add(headings_.begin()->second);
      headings_.erase(headings_.begin());
    }
    while (note_ < notes_.size() && notes_[note_].line < number) {
      ++note_;
    }
    if (note_ == notes_.size() || notes_[note_].line != number) {
      out_.add(terminal_ ? logs::for_terminal(text) : text);
      return;
    }
    add_noted(text, number);
  }

  /// `progress`: how far the boot came.
  void end_log(const std::string& progress) {
    junit_.end_log(progress);
    if (quiet_ && options_.summary) {
      summary_.add_quiet(progress, file_);
    }
    notes_.clear();
    note_ = 0;
    headings_.clear();
  }

  Result<void> finish() {
    if (options_.summary && !options_.json) {
      out_.add(summary_.text());
    }
    out_.flush();
    if (options_.junit) {
      std::ofstream file(*options_.junit, std::ios::binary | std::ios::trunc);
      file << junit_.finish();
      file.close();
      if (!file) {
        return fail(Errc::io, fmt::format("--junit: {} cannot be written", *options_.junit));
      }
    }
    return out_.result();
  }

  [[nodiscard]] bool failed_to_write() const { return !out_.result(); }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return store_.warnings(); }
  [[nodiscard]] ExitStatus status() const {
    return crash_ ? ExitStatus::crash_found : known_crash_ ? ExitStatus::only_known : ExitStatus::whole;
  }

 private:
  static std::vector<logs::SymbolSpec> specs(const Options& options) {
    std::vector<logs::SymbolSpec> specs;
    for (const auto& text : options.symbol_files) {
      specs.push_back(logs::parse_symbol_spec(text));
    }
    return specs;
  }

  /// A line with what there is to say of it: behind it, and in lines below.
  void add_noted(std::string_view text, std::uint64_t number) {
    std::size_t end = text.size();
    while (end != 0 && (text[end - 1] == '\n' || text[end - 1] == '\r')) {
      --end;
    }
    const std::string_view line_end = end < text.size() ? text.substr(end) : "\n";
    std::string whole(text.substr(0, end));
    std::string below;
    const char* between = "  # ";
    for (; note_ < notes_.size() && notes_[note_].line == number; ++note_) {
      if (notes_[note_].below) {
        below += notes_[note_].text;
        below += line_end;
      } else {
        whole += between + notes_[note_].text;
        between = ", ";
      }
    }
    whole += below.empty() ? text.substr(end) : line_end;
    whole += below;
    out_.add(terminal_ ? logs::for_terminal(whole) : whole);
  }

  [[nodiscard]] bool counts(Kind kind) const {
    return options_.fail_on ? ((*options_.fail_on >> static_cast<unsigned>(kind)) & 1U) != 0
                            : logs::kind_table()[static_cast<std::size_t>(kind)].crash;
  }

  /// Reports of two writers may share lines: notes are given out in the order of their lines.
  void add_notes(std::vector<logs::Note> notes) {
    if (note_ == notes_.size()) {
      notes_.clear();
      note_ = 0;
    }
    const auto by_line = [](const logs::Note& a, const logs::Note& b) { return a.line < b.line; };
    std::move(notes.begin(), notes.end(), std::back_inserter(notes_));
    std::stable_sort(notes_.begin() + static_cast<std::ptrdiff_t>(note_), notes_.end(), by_line);
  }

  const Options& options_;
  LogWriter out_;
  bool terminal_;
  bool copies_;  ///< the log's text goes to the output
  std::set<std::string> known_;
  logs::SymbolStore store_;
  std::string file_;
  std::vector<logs::Note> notes_;
  std::size_t note_ = 0;  ///< the first of them that is not given out
  std::multimap<std::uint64_t, std::string> headings_;
  logs::JunitWriter junit_;
  logs::Summary summary_;
  bool quiet_ = true;  ///< nothing in this log counted
  bool crash_ = false;
  bool known_crash_ = false;
};

/// Was that found which the reading was for?
bool has_found(const Invocation& invocation, const LogRun& run) {
  return invocation.options.until_crash && run.status() == ExitStatus::crash_found;
}

/// Is there somebody for whom to read on? A live log may never end by itself.
bool is_wanted(const Invocation& invocation, const logs::LogSource& log, const LogRun& run) {
  const bool in_vain = log.is_live() && !invocation.options.junit && invocation.console.out.reader_is_gone();
  return !run.failed_to_write() && !has_found(invocation, run) && !in_vain;
}

/// Reads to the end. That of a live log is a signal, too.
Result<void> read_on(const Invocation& invocation, logs::LogSource& log, logs::Scanner& scanner, LogRun& run) {
  while (is_wanted(invocation, log, run)) {
    const std::span<char> room = scanner.room();
    const auto n = log.read(room);
    if (!n) {
      return tl::unexpected(n.error());
    }
    if (*n == 0U || (!*n && Interrupts::came())) {
      break;
    }
    run.writer().lies_before(room.data() + n->value_or(0), log.place());
    if (*n) {
      scanner.received(**n);
    } else {
      scanner.idle();
    }
    run.writer().flush();
    if (Interrupts::came()) {
      log.hurry();
    }
  }
  return {};
}

/// One log from its start to its end, or for as long as it lives.
Result<void> scan(const Invocation& invocation, const std::string& path, LogRun& run) {
  auto source = invocation.options.follow ? logs::follow_log(path, kIdleMs) : logs::open_log(path, kIdleMs);
  if (!source) {
    return tl::unexpected(source.error());
  }
  std::optional<Interrupts> interrupts;
  if ((*source)->is_live()) {
    interrupts.emplace();
  }
  run.begin(path == "-" ? "(stdin)" : path);
  logs::Scanner scanner(run);
  auto result = read_on(invocation, **source, scanner, run);
  scanner.finish();
  run.writer().flush();
  const std::string progress = scanner.progress().text();
  run.end_log(progress);
  if (invocation.options.verbose) {
    (void)invocation.console.err.write(fmt::format("xstack: {}: {} lines, {}\n", escape(path), scanner.lines(),
                                                   progress.empty() ? "no boot seen" : "reached " + progress));
  }
  return result;
}

}  // namespace

Result<ExitStatus> run_log(const Invocation& invocation) {
  auto known = read_known(invocation.options.known);
  if (!known) {
    return tl::unexpected(known.error());
  }
  LogRun run(invocation, std::move(*known));
  auto files = invocation.options.files;
  if (files.empty()) {
    files.emplace_back("-");
  }
  std::optional<ExitStatus> trouble;
  for (const auto& path : files) {
    if (auto done = scan(invocation, path, run); !done) {
      complain(invocation.console, done.error().message);
      trouble = exit_status(done.error().code);
    }
    if (Interrupts::came() || has_found(invocation, run)) {
      break;
    }
  }
  if (auto done = run.finish(); !done) {
    complain(invocation.console, done.error().message);
    trouble = ExitStatus::no_access;
  }
  for (const auto& warning : run.warnings()) {
    complain(invocation.console, warning);
    trouble = trouble ? trouble : std::optional(ExitStatus::partial);
  }
  // A crash is what a pipeline has to hear of first.
  return run.status() == ExitStatus::crash_found || !trouble ? run.status() : *trouble;
}

}  // namespace xstack
