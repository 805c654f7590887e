// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/writers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "base/xml.h"

namespace xstack::logs {
namespace {

constexpr std::size_t kMostSignatures = 65536;
constexpr std::size_t kMostCases = 65536;

std::string hex(std::uint64_t value) {
  return fmt::format("0x{:x}", value);
}

/// JSON as it is written: a log of many reports is many lines of it, and a tree of each would cost more than finding
/// it.
class JsonText {
 public:
  void begin(char bracket) {
    separate();
    out_ += bracket;
  }
  void end(char bracket) { out_ += bracket; }
  void key(std::string_view name) {
    separate();
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  /// Text that is escape()d, or of our own.
  void text(std::string_view text) {
    separate();
    out_ += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        out_ += '\\';
      }
      out_ += c;
    }
    out_ += '"';
  }
  void number(std::uint64_t value) {
    separate();
    out_ += fmt::format_int(value).c_str();
  }
  void hex(std::uint64_t value) {
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
    separate();
    out_ += "\"0x";
    out_.append(digits.data(), end);
    out_ += '"';
  }
  void yes() {
    separate();
    out_ += "true";
  }
  void no() {
    separate();
    out_ += "false";
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  void separate() {
    if (!out_.empty() && out_.back() != '{' && out_.back() != '[' && out_.back() != ':') {
      out_ += ',';
    }
  }
  std::string out_;
};

void put(JsonText& json, std::string_view key, const std::string& text) {
  if (!text.empty()) {
    json.key(key);
    json.text(escape(text));
  }
}

void put(JsonText& json, std::string_view key, std::optional<unsigned> value) {
  if (value) {
    json.key(key);
    json.number(*value);
  }
}

void put_hex(JsonText& json, std::string_view key, std::optional<std::uint64_t> value) {
  if (value) {
    json.key(key);
    json.hex(*value);
  }
}

void put_if(JsonText& json, std::string_view key, bool value) {
  if (value) {
    json.key(key);
    json.yes();
  }
}

void put(JsonText& json, const Frame& frame) {
  json.begin('{');
  put_hex(json, "address", frame.address);
  put(json, "symbol", frame.symbol);
  put_hex(json, "offset", frame.offset);
  put_hex(json, "size", frame.size);
  put(json, "module", frame.module);
  put(json, "file", frame.file);
  if (!frame.file.empty() && frame.line != 0) {
    put(json, "line", std::optional(frame.line));
  }
  put_if(json, "from_symbols", frame.from_symbols);
  put_if(json, "guess", frame.guess);
  put_if(json, "inlined", frame.inlined);
  put(json, "found_by", std::string(frame.found_by));
  json.end('}');
}

void put_stack(JsonText& json, const Report& report) {
  json.key("stack");
  json.begin('{');
  put_hex(json, "pointer", report.stack_pointer);
  put(json, "word_size", std::optional(report.stack_word));
  json.key("words");
  json.begin('[');
  for (const auto word : report.stack) {
    json.hex(word);
  }
  json.end(']');
  json.end('}');
}

}  // namespace

std::string to_string(const Origin& origin) {
  switch (origin.who) {
    case Origin::Who::console:
      return "console";
    case Origin::Who::xen:
      return "xen";
    case Origin::Who::domain:
      break;
  }
  return fmt::format("d{}", origin.domain);
}

std::string json_line(const Report& report, const std::string& file) {
  JsonText json;
  json.begin('{');
  json.key("xstack_log");
  json.number(1);
  json.key("file");
  json.text(escape(file));
  json.key("kind");
  json.text(to_string(report.kind));
  json.key("title");
  json.text(escape(report.title));
  json.key("signature");
  json.text(report.signature);
  json.key("known");
  report.known ? json.yes() : json.no();
  json.key("writer");
  json.text(to_string(report.origin));
  put(json, "domain", report.domain);
  put(json, "vcpu", report.vcpu);
  put(json, "cpu", report.cpu);
  if (report.pid || !report.comm.empty()) {
    json.key("task");
    json.begin('{');
    put(json, "pid", report.pid);
    put(json, "comm", report.comm);
    json.end('}');
  }
  put(json, "release", report.release);
  put(json, "guest_release", report.guest_release);
  put(json, "build_id", report.build_id);
  put(json, "arch", report.arch);
  put(json, "mode", report.mode);
  put(json, "time", report.time);
  json.key("first_line");
  json.number(report.first_line);
  json.key("last_line");
  json.number(report.last_line);
  put(json, "panic", report.panic);
  put(json, "stage", report.stage);
  put_hex(json, "kaslr_offset", report.kaslr_offset);
  json.key("registers");
  json.begin('{');
  for (const auto& [name, value] : report.registers) {
    put_hex(json, name, value);
  }
  json.end('}');
  json.key("frames");
  json.begin('[');
  for (const auto& frame : report.frames) {
    put(json, frame);
  }
  json.end(']');
  put(json, "trace_end", report.trace_end);
  json.key("modules");
  json.begin('[');
  for (const auto& module : report.modules) {
    json.text(escape(module));
  }
  json.end(']');
  if (!report.stack.empty()) {
    put_stack(json, report);
  }
  put_if(json, "truncated", report.truncated);
  json.end('}');
  return json.take() + "\n";
}

std::string frame_text(const Frame& frame) {
  std::string out;
  if (frame.symbol.empty()) {
    out = frame.address ? hex(*frame.address) : "?";
  } else {
    out = escape(frame.symbol);
    if (frame.offset) {
      out += fmt::format("+{}", hex(*frame.offset));
    }
    if (frame.size) {
      out += fmt::format("/{}", hex(*frame.size));
    }
  }
  if (!frame.module.empty()) {
    out += fmt::format(" [{}]", escape(frame.module));
  }
  if (!frame.file.empty()) {
    out += " " + escape(frame.file);
    if (frame.line != 0) {
      out += fmt::format(":{}", frame.line);
    }
  }
  if (frame.guess || frame.inlined || !frame.found_by.empty()) {
    out += fmt::format(" ({})", frame.guess ? "guess" : frame.inlined ? "inlined" : frame.found_by);
  }
  return out;
}

std::string heading(const Report& report) {
  std::string where;
  if (report.domain) {
    where = fmt::format(" in domain {}", *report.domain);
    if (report.vcpu) {
      where += fmt::format(" vCPU {}", *report.vcpu);
    }
  } else if (report.origin.who == Origin::Who::xen) {
    where = " in Xen";
  }
  return fmt::format("--- {}{}, lines {}-{}, {}{}: {}\n", to_string(report.kind), where, report.first_line,
                     report.last_line, report.signature, report.known ? " (known)" : "", escape(report.title));
}

void JunitWriter::begin_log(const std::string& file) {
  suites_.push_back({file, {}, 0, {}});
}

void JunitWriter::add(const Report& report, bool failure) {
  if (suites_.empty() || suites_.back().cases.size() >= kMostCases) {
    return;
  }
  Suite& suite = suites_.back();
  std::string text = fmt::format(R"(    <testcase classname="{}" name="{}: {}")", escape_xml(suite.file),
                                 to_string(report.kind), escape_xml(report.title));
  if (!failure) {
    text += "/>\n";
  } else {
    ++suite.failures;
    text += fmt::format(">\n      <failure type=\"{}\" message=\"{}\">{}, lines {}-{}\n", to_string(report.kind),
                        escape_xml(report.title), report.signature, report.first_line, report.last_line);
    for (const auto& frame : report.frames) {
      text += escape_xml(frame_text(frame)) + "\n";
    }
    text += "</failure>\n    </testcase>\n";
  }
  suite.cases.push_back(std::move(text));
}

void JunitWriter::end_log(const std::string& progress) {
  if (!suites_.empty()) {
    suites_.back().progress = progress;
  }
}

std::string JunitWriter::finish() const {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const auto& suite : suites_) {
    const std::size_t tests = std::max<std::size_t>(suite.cases.size(), 1);
    out += fmt::format("  <testsuite name=\"xstack log {0}\" tests=\"{1}\" failures=\"{2}\" errors=\"0\">\n",
                       escape_xml(suite.file), tests, suite.failures);
    for (const auto& test : suite.cases) {
      out += test;
    }
    if (suite.cases.empty()) {
      out += fmt::format("    <testcase classname=\"{}\" name=\"no crash\"/>\n", escape_xml(suite.file));
    }
    if (!suite.progress.empty()) {
      out += fmt::format("    <system-out>reached {}</system-out>\n", escape_xml(suite.progress));
    }
    out += "  </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

void Summary::add(const Report& report, const std::string& file) {
  const auto found = entries_.find(report.signature);
  if (found != entries_.end()) {
    ++found->second.count;
  } else if (entries_.size() >= kMostSignatures) {
    ++beyond_;
  } else {
    entries_[report.signature] = {1, report.kind, report.title, fmt::format("{}:{}", file, report.first_line),
                                  report.known};
  }
}

void Summary::add_quiet(const std::string& progress, const std::string& file) {
  if (quiet_.size() < kMostSignatures || quiet_.contains(progress)) {
    auto& entry = quiet_[progress];
    entry.file = entry.count++ == 0 ? file : entry.file;
  }
}

std::string Summary::text() const {
  std::vector<std::pair<std::string, Entry>> sorted(entries_.begin(), entries_.end());
  std::ranges::stable_sort(sorted, [](const auto& a, const auto& b) { return a.second.count > b.second.count; });
  std::string out;
  for (const auto& [signature, entry] : sorted) {
    out += fmt::format("{:6} {}{} {} ({})\n", entry.count, signature, entry.known ? " known" : "", escape(entry.title),
                       escape(entry.place));
  }
  if (beyond_ != 0) {
    out += fmt::format("{:6} more, of signatures beyond the first {}\n", beyond_, kMostSignatures);
  }
  std::vector<std::pair<std::string, Quiet>> quiet(quiet_.begin(), quiet_.end());
  std::ranges::stable_sort(quiet, [](const auto& a, const auto& b) { return a.second.count > b.second.count; });
  for (const auto& [progress, entry] : quiet) {
    out += fmt::format("{:6} no crash, {} ({})\n", entry.count,
                       progress.empty() ? "no boot seen" : "reached " + escape(progress), escape(entry.file));
  }
  return out;
}

std::string for_terminal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\n\t"), text.size());
    std::string_view piece = text.substr(0, end);
    const bool line_end = end < text.size() && text[end] == '\n';
    while (line_end && piece.ends_with('\r')) {
      piece.remove_suffix(1);
    }
    const bool plain = std::ranges::all_of(piece, [](char c) { return c >= 0x20 && c < 0x7f; });
    out += plain ? std::string(piece) : escape(piece);
    if (end < text.size()) {
      out += text[end];
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace xstack::logs
