// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "logs/boot_progress.h"
#include "logs/builder.h"

namespace xstack::logs {

/// Where a scanner's findings go. Calls come in the order of the log.
class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;

  /// Bytes outside of every report, as they are; whole lines but for lines beyond kLongestLine.
  virtual void plain(std::string_view text) = 0;
  /// A report that is complete. Its lines have not been given yet.
  virtual void report(Report& report, std::span<const Spot> spots) = 0;
  /// A line that was read while a report was open, with its line end; `owned`: it is part of one.
  virtual void line(std::string_view text, std::uint64_t number, bool owned) = 0;
};

/// Finds the reports in a log that comes in pieces of any size: what is found does not depend on how it is cut. Text
/// outside of reports is only searched for anchors, a block at a time; lines are looked at one by one while a report is
/// open. Memory is bounded whatever comes.
class Scanner {
 public:
  /// Longer lines are passed on unread.
  static constexpr std::size_t kLongestLine = 64 << 10;

  explicit Scanner(Sink& sink);

  /// Room for the next piece; tell received() how much of it was filled.
  [[nodiscard]] std::span<char> room();
  void received(std::size_t bytes);

  /// The same for text that lies elsewhere.
  void feed(std::string_view text);

  /// Nothing came for a while: open reports are as complete as they get.
  void idle();

  /// The log has ended.
  void finish();

  [[nodiscard]] const BootProgress& progress() const { return progress_; }
  [[nodiscard]] std::uint64_t lines() const { return line_; }

 private:
  struct HeldLine {
    std::size_t begin;
    std::size_t end;
    std::uint64_t number;
    bool owned;
  };
  struct Writer {
    std::string release;
    std::optional<std::uint64_t> kaslr_offset;
  };
  using WriterKey = std::pair<int, unsigned>;
  /// Lines that a report may begin with before its first own one.
  struct LeadIn {
    std::uint64_t first;
    std::uint64_t last;
    std::string cause;  ///< what it says of the fault; empty when it says nothing
  };

  void process();
  void pass(std::string_view text);
  void take_line(std::string_view raw);
  bool take_parts(std::string_view text);
  bool take_part(const Line& line);
  void look_at(const Line& line);
  void note_lead_in(std::string_view text);
  void open(const Start& start, const Line& line);
  void close(std::size_t index, bool truncated);
  void close_all(bool truncated);
  void flush_fragment();
  void flush_held();

  Sink& sink_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  ///< of what is not processed yet
  std::size_t end_ = 0;
  bool in_long_line_ = false;
  std::uint64_t line_ = 0;  ///< the number of the last line that was begun
  std::vector<std::unique_ptr<Builder>> open_;
  std::string held_;
  std::vector<HeldLine> held_lines_;
  std::map<WriterKey, Writer> writers_;
  BootProgress progress_;
  bool xen_seen_ = false;
  std::optional<LeadIn> lead_in_;  ///< the last that no report has taken yet
  /// The hardware domain's line that Xen's text broke into: it goes on in the next line without a prefix.
  std::string fragment_;
  std::string fragment_time_;
  std::string fragment_caller_;
  Line fragment_line_;
  bool have_fragment_ = false;
};

}  // namespace xstack::logs
