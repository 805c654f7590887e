// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "logs/report.h"

/// What is made of reports. All text of the log is escaped in it.
namespace xstack::logs {

/// "console", "xen", "d3".
[[nodiscard]] std::string to_string(const Origin& origin);

/// One object and a line end: tools/schema/xstack-crash-1.json.
[[nodiscard]] std::string json_line(const Report& report, const std::string& file);

/// "panic+0x10/0x300 kernel/panic.c:12 (frame)", "?" when nothing is known.
[[nodiscard]] std::string frame_text(const Frame& frame);

/// "--- oops in domain 3, lines 10-42, oops-0123456789abcdef: Unable to handle ...": what --only puts above a report.
[[nodiscard]] std::string heading(const Report& report);

/// JUnit's XML, as CI systems read it: a suite for each log, a failure for each report that counts as one.
class JunitWriter {
 public:
  void begin_log(const std::string& file);
  void add(const Report& report, bool failure);
  /// `progress`: how far the boot came; may be empty.
  void end_log(const std::string& progress);
  [[nodiscard]] std::string finish() const;

 private:
  struct Suite {
    std::string file;
    std::vector<std::string> cases;
    std::size_t failures = 0;
    std::string progress;
  };
  std::vector<Suite> suites_;
};

/// One line for each signature, most frequent first; then one for each way that logs without a crash end, since a board
/// that stops on its way up says nothing.
class Summary {
 public:
  void add(const Report& report, const std::string& file);
  /// A log in which nothing counted as a crash. `progress`: how far the boot came; may be empty.
  void add_quiet(const std::string& progress, const std::string& file);
  [[nodiscard]] std::string text() const;

 private:
  struct Entry {
    std::uint64_t count = 0;
    Kind kind{};
    std::string title;
    std::string place;  ///< of the first: file and line
    bool known = false;
  };
  struct Quiet {
    std::uint64_t count = 0;
    std::string file;  ///< the first
  };
  std::map<std::string, Entry> entries_;
  std::map<std::string, Quiet> quiet_;  ///< by progress
  std::uint64_t beyond_ = 0;            ///< reports whose signatures were too many to keep
};

/// Text for a terminal: control characters and bytes that are no UTF-8 as \xNN; line ends and tabs stay.
[[nodiscard]] std::string for_terminal(std::string_view text);

}  // namespace xstack::logs
