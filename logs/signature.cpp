// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "logs/words.h"

namespace xstack::logs {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t kFrames = 5;

/// Functions that print the trace: they say nothing of why.
constexpr std::array kPrinters = {
    "dump_backtrace"sv,
    "show_stack"sv,
    "dump_stack"sv,
    "dump_stack_lvl"sv,
    "unwind_backtrace"sv,
    "panic"sv,
    "vpanic"sv,
    "__warn"sv,
    "report_bug"sv,
    "warn_slowpath_fmt"sv,
    "warn_slowpath_null"sv,
    "warn_slowpath_common"sv,
    "kasan_report"sv,
    "print_report"sv,
    "print_address_description"sv,
    "kasan_check_range"sv,
    "__die"sv,
    "die"sv,
    "show_regs"sv,
    "handle_bug"sv,
    "exc_invalid_op"sv,
    "asm_exc_invalid_op"sv,
    "oops_end"sv,
    "no_context"sv,
    "show_trace_log_lvl"sv,
    "ubsan_epilogue"sv,
    "sched_show_task"sv,
    "print_circular_bug"sv,
};

/// FNV-1a, 64 bits: stable, and nobody gains by a collision here.
class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) {
      value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    value_ = (value_ ^ 0xff) * 0x100000001b3ULL;
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

/// The words of a title that hold no digit: numbers, addresses, tasks and CPUs go.
std::string without_numbers(std::string_view title) {
  std::string out;
  while (!title.empty()) {
    skip_blanks(title);
    const std::string_view word = title.substr(0, title.find(' '));
    title.remove_prefix(word.size());
    if (std::ranges::none_of(word, is_digit)) {
      out += word;
      out += ' ';
    }
  }
  return out;
}

}  // namespace

std::string_view plain_function(std::string_view name) {
  name = name.substr(name.rfind('#') + 1);  // Xen's "file.c#name"
  (void)take(name, "__pfx_");
  return name.substr(0, name.find('.', 1));
}

std::string signature_of(const Report& report) {
  Hash hash;
  hash.add(to_string(report.kind));
  std::size_t used = 0;
  for (const Frame& frame : report.frames) {
    if (report.kind == Kind::kcsan) {
      break;  // who came first is chance; the title has both in alphabetical order
    }
    const std::string_view name = plain_function(frame.symbol);
    if (frame.guess || frame.inlined || name.empty() || std::ranges::find(kPrinters, name) != kPrinters.end()) {
      continue;
    }
    hash.add(name);
    if (++used == kFrames) {
      break;
    }
  }
  if (used == 0 || report.kind == Kind::panic || report.kind == Kind::xen_panic || report.kind == Kind::domain_crash) {
    hash.add(without_numbers(report.title));
  }
  return fmt::format("{}-{:016x}", to_string(report.kind), hash.value());
}

}  // namespace xstack::logs
