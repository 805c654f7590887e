// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/starts.h"

#include <algorithm>
#include <array>

#include "logs/words.h"

namespace xstack::logs {
namespace {

using std::string_view_literals::operator""sv;

bool has(std::string_view text, std::string_view piece) {
  return text.find(piece) != std::string_view::npos;
}

/// What the kernel's detectors put before their reports.
void take_subsystem(std::string_view& text) {
  static constexpr std::array kNames = {"NMI watchdog: "sv, "watchdog: "sv, "rcu: "sv, "traps: "sv};
  for (const auto name : kNames) {
    if (take(text, name)) {
      break;
    }
  }
  std::string_view rest = text;
  if (take(rest, "CPU") && take_decimal(rest) && take(rest, ": ") && begins(rest, "Watchdog detected")) {
    text = rest;
  }
}

std::optional<Kind> kind_of_bug(std::string_view what) {
  if (begins(what, "KASAN: ")) {
    return Kind::kasan;
  }
  if (begins(what, "KFENCE: ")) {
    return Kind::kfence;
  }
  if (begins(what, "KCSAN: ")) {
    return Kind::kcsan;
  }
  if (begins(what, "KMSAN: ")) {
    return Kind::kmsan;
  }
  if (begins(what, "unable to handle") || begins(what, "kernel NULL pointer") ||
      begins(what, "stack guard page was hit") || begins(what, "TASK stack guard page")) {
    return Kind::oops;
  }
  if (begins(what, "soft lockup")) {
    return Kind::soft_lockup;
  }
  // The kernel's own, not "BUG: feature request" of some program.
  static constexpr std::array kOthers = {"scheduling while atomic"sv,
                                         "sleeping function called"sv,
                                         "spinlock "sv,
                                         "rwlock "sv,
                                         "workqueue lockup"sv,
                                         "Bad page "sv,
                                         "Bad rss-counter"sv,
                                         "non-zero pgtables_bytes"sv,
                                         "using smp_processor_id"sv,
                                         "using __this_cpu"sv,
                                         "recent printk recursion"sv,
                                         "arch topology borken"sv,
                                         "MAX_LOCK"sv,
                                         "key "sv,
                                         "Dentry "sv,
                                         "Invalid wait context"sv};
  if (std::ranges::any_of(kOthers, [&](std::string_view w) { return begins(what, w); })) {
    return begins(what, "Invalid wait") ? Kind::lockdep : Kind::bug;
  }
  return std::nullopt;
}

constexpr std::array kLockdep = {"possible circular locking dependency detected"sv,
                                 "possible recursive locking detected"sv,
                                 "inconsistent lock state"sv,
                                 "possible irq lock inversion"sv,
                                 "suspicious RCU usage"sv,
                                 "bad unlock balance"sv,
                                 "held lock freed"sv,
                                 "lock held when returning to user space"sv,
                                 "still has locks held"sv,
                                 "unsafe locking"sv,
                                 "SOFTIRQ-safe -> SOFTIRQ-unsafe"sv,
                                 "HARDIRQ-safe -> HARDIRQ-unsafe"sv,
                                 "Nested lock was not taken"sv,
                                 "Invalid wait context"sv,
                                 "bad contention detected"sv};

bool is_lockdep(std::string_view what) {
  return std::ranges::any_of(kLockdep, [&](std::string_view w) { return begins(what, w); }) ||
         (has(what, "-safe -> ") && has(what, "-unsafe lock order"));
}

/// "file.c:12", somewhere in the word.
bool has_file_and_line(std::string_view word) {
  const std::size_t colon = word.rfind(':');
  return colon != std::string_view::npos && colon > 2 && colon + 1 < word.size() && is_digit(word[colon + 1]) &&
         (has(word, ".c:") || has(word, ".h:") || has(word, ".S:") || has(word, ".rs:"));
}

bool is_warning(std::string_view what) {
  if (begins(what, "CPU: ") || begins(what, "at ")) {
    return has(what, " at ") || has(what, "+0x") || has_file_and_line(what.substr(0, what.find('(')));
  }
  const std::string_view word = what.substr(0, what.find(' '));
  return has_file_and_line(word) && has(what, " at ");
}

std::optional<Start> start_of_info(std::string_view text, std::string_view what) {
  if (begins(what, "rcu") &&
      (has(what, "self-detected stall") || has(what, "detected stall") || has(what, "detected expedited stall"))) {
    return Start{Kind::rcu_stall, text};
  }
  if (begins(what, "task ") && has(what, "blocked") && has(what, " for more than ")) {
    return Start{Kind::hung_task, text};
  }
  if (is_lockdep(what)) {
    return Start{Kind::lockdep, what};
  }
  return std::nullopt;
}

/// Faults that name themselves: "general protection fault, ...: 0000 [#1] SMP".
bool is_x86_die(std::string_view text) {
  static constexpr std::array kNames = {"general protection"sv,    "invalid opcode: "sv,    "divide error: "sv,
                                        "double fault: "sv,        "stack segment: "sv,     "int3: "sv,
                                        "alignment check: "sv,     "segment not present"sv, "invalid TSS"sv,
                                        "kernel stack overflow"sv, "unexpected #"sv};
  return std::ranges::any_of(kNames, [&](std::string_view n) { return begins(text, n); }) && has(text, "[#");
}

bool is_trace_header(std::string_view text) {
  return text == "Call trace:" || text == "Call Trace:" || text == "Backtrace:";
}

/// "CPU.." and "Call.." of those that begin so, but not "Code:" and the rest.
bool may_begin_with_c(std::string_view text) {
  return text.size() > 2 && (text[1] == 'P' || text[1] == 'a');
}

/// What lines that linux_start() knows begin with: most lines of a report are told by their first letter.
constexpr std::array<bool, 256> kFirstLetters = [] {
  std::array<bool, 256> letters{};
  for (const char c : "BCIKNOPUW[adgikrstuw"sv) {
    letters[static_cast<unsigned char>(c)] = true;
  }
  return letters;
}();

}  // namespace

std::optional<Start> linux_start(std::string_view text) {
  if (text.empty()) {
    return std::nullopt;
  }
  if (is_blank(text.front())) {
    return is_trace_header(trimmed(text)) ? std::optional(Start{Kind::trace, "Call trace"}) : std::nullopt;
  }
  if (!kFirstLetters[static_cast<unsigned char>(text.front())]) {
    return std::nullopt;
  }
  if (text.front() == 'C' && !may_begin_with_c(text)) {
    return std::nullopt;
  }
  take_subsystem(text);
  std::string_view what = text;
  if (begins(text, "Kernel panic - not syncing")) {
    return Start{Kind::panic, text};
  }
  if (begins(text, "Internal error: ") || begins(text, "Unable to handle kernel ") ||
      (begins(text, "Oops: ") && has(text, "[#")) || begins(text, "PANIC: double fault") || is_x86_die(text)) {
    return Start{Kind::oops, text};
  }
  if (begins(text, "kernel BUG at ")) {
    return Start{Kind::bug, text};
  }
  if (take(what, "BUG: ")) {
    const auto kind = kind_of_bug(what);
    return kind ? std::optional(Start{*kind, text}) : std::nullopt;
  }
  if (take(what, "WARNING: ")) {
    return is_lockdep(what)   ? std::optional(Start{Kind::lockdep, text})
           : is_warning(what) ? std::optional(Start{Kind::warning, text})
                              : std::nullopt;
  }
  if (take(what, "INFO: ")) {
    return start_of_info(text, what);
  }
  if (take(what, "[ INFO: ") || take(what, "[ BUG: ")) {
    // up to 4.10 or so
    return is_lockdep(what) ? std::optional(Start{Kind::lockdep, what.substr(0, what.find(" ]"))}) : std::nullopt;
  }
  if (begins(text, "Watchdog detected hard LOCKUP")) {
    return Start{Kind::hard_lockup, text};
  }
  if (begins(text, "UBSAN: ") && (has(text, " in ") || has(text, ":"))) {
    return Start{Kind::ubsan, text};
  }
  if (begins(text, "CPU: ") && has(text, " PID: ") && has(text, " Comm: ")) {
    return Start{Kind::trace, "Call trace"};
  }
  if (begins(text, "task:") && has(text, " state:")) {
    return Start{Kind::trace, text.substr(0, text.find(' '))};
  }
  return is_trace_header(trimmed(text)) ? std::optional(Start{Kind::trace, "Call trace"}) : std::nullopt;
}

std::optional<Start> xen_start(std::string_view text) {
  if (begins(text, "domain_crash called from") || begins(text, "domain_crash_sync called from")) {
    return Start{Kind::domain_crash, text};
  }
  if (begins(text, "Domain ") && (has(text, ") crashed on cpu#") || has(text, " reported crashed by domain "))) {
    return Start{Kind::domain_crash, text};
  }
  if (begins(text, "Panic on CPU ") || (begins(text, "CPU") && has(text.substr(0, 32), ": Unexpected Trap: "))) {
    return Start{Kind::xen_panic, text};
  }
  if (begins(text, "Xen BUG at ")) {
    return Start{Kind::xen_bug, text};
  }
  if (begins(text, "Assertion '") && has(text, " failed at ")) {
    return Start{Kind::xen_assert, text};
  }
  if (begins(text, "Xen WARN at ")) {
    return Start{Kind::xen_warn, text};
  }
  if (begins(text, "*** Dumping ")) {
    return Start{Kind::register_dump, text};
  }
  if (begins(text, "----[ Xen-") || begins(text, "Guest stack trace from ") || begins(text, "Xen stack trace from ") ||
      begins(text, "Xen call trace:") || begins(text, "Pagetable walk from ")) {
    return Start{Kind::register_dump, text};
  }
  if (text.size() > 12 && text[0] == '\'' && begins(text.substr(2), "' pressed -> ")) {
    return Start{Kind::debug_key, text};
  }
  return std::nullopt;
}

bool is_lead_in(std::string_view text) {
  if (text.empty() || (text.front() != '8' && text.front() != '-' && text.front() != '=')) {
    return false;
  }
  if (begins(text, "8<--- cut here") || (begins(text, "-----") && has(text, "[ cut here ]-----"))) {
    return true;
  }
  return text.size() >= 20 && text.front() == '=' && text.find_first_not_of('=') == std::string_view::npos;
}

}  // namespace xstack::logs
