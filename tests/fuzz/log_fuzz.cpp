// SPDX-License-Identifier: LGPL-2.1-or-later
// The whole of `xstack log` but its files: any bytes as a log, with symbols for it, as text for a terminal, as JSON
// lines, and cut in two ways.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "logs/scanner.h"
#include "logs/symbol_store.h"
#include "logs/writers.h"

namespace {

/// Symbols as the reports in the corpus have them: of three architectures, for a domain each, of Xen, and of nobody
/// named.
class Symbols {
 public:
  Symbols() {
    add("d2=",
        "ffff800008000000 T _stext\nffff8000080b3000 T a\nffff8000088cb100 T b\nffff8000088cb200 T c\n"
        "ffff8000088cb300 T d\nffff800009000000 T _etext\n");
    add("d3=",
        "ffffffff81000000 T _stext\nffffffff81069d00 T a\nffffffff8102c100 t same\nffffffff81070000 t same\n"
        "ffffffff82000000 T _etext\n");
    add("d4=", "c0300000 T _stext\nc0309900 T a\nc0388a00 T b\nc0c2d100 T c\nc0c2d200 T d\nc1000000 T _etext\n");
    add("xen=", "ffff82d040200000 T _stext\nffff82d040201000 T panic\nffff82d040300000 T _etext\n");
    add("", "c0008000 T _stext\nc0d0c000 T panic\nc0d0d000 T f\nc1000000 T _etext\n");
    store_.emplace(specs_, std::vector<std::string>());
  }
  Symbols(const Symbols&) = delete;
  Symbols& operator=(const Symbols&) = delete;
  ~Symbols() {
    std::error_code ignored;
    for (const auto& spec : specs_) {
      std::filesystem::remove(spec.path, ignored);
    }
  }
  xstack::logs::SymbolStore& store() { return *store_; }

 private:
  void add(const std::string& who, const char* text) {
    const auto name = "log_fuzz." + std::to_string(::getpid()) + "." + std::to_string(specs_.size());
    const std::string path = (std::filesystem::temp_directory_path() / name).string();
    std::ofstream(path) << text;
    specs_.push_back(xstack::logs::parse_symbol_spec(who + path));
  }
  std::vector<xstack::logs::SymbolSpec> specs_;
  std::optional<xstack::logs::SymbolStore> store_;
};

xstack::logs::SymbolStore& symbols() {
  static Symbols all;
  return all.store();
}

class Checked final : public xstack::logs::Sink {
 public:
  void plain(std::string_view text) override { take(text); }
  void report(xstack::logs::Report& report, std::span<const xstack::logs::Spot> spots) override {
    const std::string signature = report.signature;
    for (const auto& note : symbols().name(report, spots)) {
      terminal(note.text);
      if (note.text.find('\n') != std::string::npos) {
        std::abort();
      }
    }
    if (report.signature != signature) {
      std::abort();
    }
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
