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
  if (take(rest, "CPU") && take_decimal(rest) && take(rest, ": ") && rest.starts_with("Watchdog detected")) {
    text = rest;
  }
}

std::optional<Kind> kind_of_bug(std::string_view what) {
  if (what.starts_with("KASAN: ")) {
    return Kind::kasan;
  }
  if (what.starts_with("KFENCE: ")) {
    return Kind::kfence;
  }
  if (what.starts_with("KCSAN: ")) {
    return Kind::kcsan;
  }
  if (what.starts_with("KMSAN: ")) {
    return Kind::kmsan;
  }
  if (what.starts_with("unable to handle") || what.starts_with("kernel NULL pointer") ||
      what.starts_with("stack guard page was hit") || what.starts_with("TASK stack guard page")) {
    return Kind::oops;
  }
  if (what.starts_with("soft lockup")) {
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
  if (std::ranges::any_of(kOthers, [&](std::string_view w) { return what.starts_with(w); })) {
    return what.starts_with("Invalid wait") ? Kind::lockdep : Kind::bug;
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
  return std::ranges::any_of(kLockdep, [&](std::string_view w) { return what.starts_with(w); }) ||
         (has(what, "-safe -> ") && has(what, "-unsafe lock order"));
}

/// "file.c:12", somewhere in the word.
bool has_file_and_line(std::string_view word) {
  const std::size_t colon = word.rfind(':');
  return colon != std::string_view::npos && colon > 2 && colon + 1 < word.size() && is_digit(word[colon + 1]) &&
         (has(word, ".c:") || has(word, ".h:") || has(word, ".S:") || has(word, ".rs:"));
}

bool is_warning(std::string_view what) {
  if (what.starts_with("CPU: ") || what.starts_with("at ")) {
    return has(what, " at ") || has(what, "+0x") || has_file_and_line(what.substr(0, what.find('(')));
  }
  const std::string_view word = what.substr(0, what.find(' '));
  return has_file_and_line(word) && has(what, " at ");
}

std::optional<Start> start_of_info(std::string_view text, std::string_view what) {
  if (what.starts_with("rcu") &&
      (has(what, "self-detected stall") || has(what, "detected stall") || has(what, "detected expedited stall"))) {
    return Start{Kind::rcu_stall, text};
  }
  if (what.starts_with("task ") && has(what, "blocked") && has(what, " for more than ")) {
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
  return has(text, "[#") && std::ranges::any_of(kNames, [&](std::string_view n) { return text.starts_with(n); });
}

}  // namespace

std::optional<Start> linux_start(std::string_view text) {
  take_subsystem(text);
  std::string_view what = text;
  if (text.starts_with("Kernel panic - not syncing")) {
    return Start{Kind::panic, text};
  }
  if (text.starts_with("Internal error: ") || text.starts_with("Unable to handle kernel ") ||
      (text.starts_with("Oops: ") && has(text, "[#")) || text.starts_with("PANIC: double fault") || is_x86_die(text)) {
    return Start{Kind::oops, text};
  }
  if (text.starts_with("kernel BUG at ")) {
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
  if (text.starts_with("Watchdog detected hard LOCKUP")) {
    return Start{Kind::hard_lockup, text};
  }
  if (text.starts_with("UBSAN: ") && (has(text, " in ") || has(text, ":"))) {
    return Start{Kind::ubsan, text};
  }
  if (text.starts_with("CPU: ") && has(text, " PID: ") && has(text, " Comm: ")) {
    return Start{Kind::trace, "Call trace"};
  }
  if (text.starts_with("task:") && has(text, " state:")) {
    return Start{Kind::trace, text.substr(0, text.find(' '))};
  }
  const std::string_view bare = trimmed(text);
  if (bare == "Call trace:" || bare == "Call Trace:" || bare == "Backtrace:") {
    return Start{Kind::trace, "Call trace"};
  }
  return std::nullopt;
}

std::optional<Start> xen_start(std::string_view text) {
  if (text.starts_with("domain_crash called from") || text.starts_with("domain_crash_sync called from")) {
    return Start{Kind::domain_crash, text};
  }
  if (text.starts_with("Domain ") && (has(text, ") crashed on cpu#") || has(text, " reported crashed by domain "))) {
    return Start{Kind::domain_crash, text};
  }
  if (text.starts_with("Panic on CPU ") || has(text.substr(0, 32), ": Unexpected Trap: ")) {
    return Start{Kind::xen_panic, text};
  }
  if (text.starts_with("Xen BUG at ")) {
    return Start{Kind::xen_bug, text};
  }
  if (text.starts_with("Assertion '") && has(text, " failed at ")) {
    return Start{Kind::xen_assert, text};
  }
  if (text.starts_with("Xen WARN at ")) {
    return Start{Kind::xen_warn, text};
  }
  if (text.starts_with("*** Dumping ")) {
    return Start{Kind::register_dump, text};
  }
  if (text.starts_with("----[ Xen-") || text.starts_with("Guest stack trace from ") ||
      text.starts_with("Xen stack trace from ") || text.starts_with("Xen call trace:") ||
      text.starts_with("Pagetable walk from ")) {
    return Start{Kind::register_dump, text};
  }
  if (text.size() > 12 && text[0] == '\'' && text.substr(2).starts_with("' pressed -> ")) {
    return Start{Kind::debug_key, text};
  }
  return std::nullopt;
}

bool is_lead_in(std::string_view text) {
  if (text.starts_with("8<--- cut here") || has(text, "-----[ cut here ]-----")) {
    return true;
  }
  return text.size() >= 20 && text.find_first_not_of('=') == std::string_view::npos;
}

std::optional<std::string_view> boot_stage(const Line& line) {
  const std::string_view text = line.text;
  if (text.starts_with("U-Boot SPL ") || text.starts_with("U-Boot TPL ")) {
    return "U-Boot SPL";
  }
  if (text.starts_with("U-Boot 2")) {
    return "U-Boot";
  }
  if (text.starts_with("Starting kernel")) {
    return "kernel started";
  }
  if (line.origin.who == Origin::Who::xen) {
    return text.starts_with("Xen version ")      ? std::optional("Xen"sv)
           : text.starts_with("*** LOADING DOM") ? std::optional("Xen loads domain 0"sv)
                                                 : std::nullopt;
  }
  if (text.starts_with("Linux version ")) {
    return "Linux";
  }
  if (text.starts_with("Freeing unused kernel ")) {
    return "Linux is up";
  }
  if (text.starts_with("Run /")) {
    return "init";
  }
  if (text.ends_with("login: ") || text.ends_with("login:")) {
    return "login";
  }
  return std::nullopt;
}

}  // namespace xstack::logs
