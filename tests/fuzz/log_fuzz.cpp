// SPDX-License-Identifier: LGPL-2.1-or-later
// The whole of `xstack log` but its files: any bytes as a log, as text for a terminal, as JSON lines, and cut in two
// ways.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "logs/scanner.h"
#include "logs/writers.h"

namespace {

class Checked final : public xstack::logs::Sink {
 public:
  void plain(std::string_view text) override { take(text); }
  void report(xstack::logs::Report& report, std::span<const xstack::logs::Spot> spots) override {
    (void)spots;
    const std::string line = xstack::logs::json_line(report, "fuzz");
    if (!nlohmann::json::accept(line) || line.find('\n') != line.size() - 1) {
      std::abort();
    }
    all += line;
    junit.add(report, true);
    summary.add(report, "fuzz");
    terminal(xstack::logs::heading(report));
  }
  void line(std::string_view text, std::uint64_t number, bool owned) override {
    (void)number;
    (void)owned;
    take(text);
  }

  std::string all;
  std::string copy;
  xstack::logs::JunitWriter junit;
  xstack::logs::Summary summary;

 private:
  static void terminal(std::string_view text) {
    for (const char c : text) {
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
        std::abort();
      }
    }
  }
  void take(std::string_view text) {
    copy += text;
    terminal(xstack::logs::for_terminal(text));
  }
};

void scan(std::string_view text, std::size_t piece, Checked& out) {
  out.junit.begin_log("fuzz");
  xstack::logs::Scanner scanner(out);
  while (!text.empty()) {
    scanner.feed(text.substr(0, piece));
    text.remove_prefix(std::min(piece, text.size()));
  }
  scanner.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Checked whole;
  scan(text, size + 1, whole);
  Checked cut;
  scan(text, 61, cut);
  if (whole.copy != text || cut.copy != text || whole.all != cut.all) {
    std::abort();
  }
  (void)whole.junit.finish();
  (void)whole.summary.text();
  return 0;
}
