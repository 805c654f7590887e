// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "logs/scanner.h"

namespace xstack::test {

/// Keeps what a scanner says.
class Collector final : public logs::Sink {
 public:
  void plain(std::string_view text) override { text_ += text; }
  void report(logs::Report& report, std::span<const logs::Spot> spots) override {
    reports.push_back(report);
    spot_count += spots.size();
  }
  void line(std::string_view text, std::uint64_t number, bool owned) override {
    text_ += text;
    lines.emplace_back(number, owned);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

  std::vector<logs::Report> reports;
  std::vector<std::pair<std::uint64_t, bool>> lines;
  std::size_t spot_count = 0;

 private:
  std::string text_;
};

/// Scans `log` in pieces of `piece` bytes.
inline void scan_into(Collector& collector, std::string_view log, std::size_t piece) {
  logs::Scanner scanner(collector);
  while (!log.empty()) {
    scanner.feed(log.substr(0, piece));
    log.remove_prefix(std::min(piece, log.size()));
  }
  scanner.finish();
}

}  // namespace xstack::test
