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
  // x86 names the stack from 5.16 on: "TASK", "IRQ", "NMI", "#DF".
  if (begins(what, "unable to handle") || begins(what, "kernel NULL pointer") ||
      has(what.substr(0, 48), "stack guard page was hit")) {
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
                                         "workqueue leaked "sv,
                                         "Bad page "sv,
                                         "Bad rss-counter"sv,
                                         "non-zero pgtables_bytes"sv,
                                         "assuming "sv,
                                         "failure at "sv,
                                         "using smp_processor_id"sv,
                                         "using __this_cpu"sv,
                                         "recent printk recursion"sv,
                                         "arch topology borken"sv,
                                         "MAX_LOCK"sv,
                                         "MAX_STACK_TRACE"sv,
                                         "key "sv,
                                         "Dentry "sv,
                                         "Invalid wait context"sv};
  if (std::ranges::any_of(kOthers, [&](std::string_view w) { return begins(what, w); })) {
    return begins(what, "Invalid wait") ? Kind::lockdep : Kind::bug;
  }
  return std::nullopt;
}

constexpr std::array kLockdep = {
    "possible circular locking dependency detected"sv, "possible recursive locking detected"sv,
    "inconsistent lock state"sv, "possible irq lock inversion"sv, "suspicious RCU usage"sv, "bad unlock balance"sv,
    "held lock freed"sv, "lock held when returning to user space"sv,
    // up to 3.1
    "suspicious rcu_dereference_check() usage"sv, "trying to register non-static key"sv, "unsafe locking"sv,
    "SOFTIRQ-safe -> SOFTIRQ-unsafe"sv, "HARDIRQ-safe -> HARDIRQ-unsafe"sv, "Nested lock was not taken"sv,
    "Invalid wait context"sv, "bad contention detected"sv};

bool is_lockdep(std::string_view what) {
  return std::ranges::any_of(kLockdep, [&](std::string_view w) { return begins(what, w); }) ||
         (has(what, "-safe -> ") && has(what, "-unsafe lock order")) ||
         has(what.substr(0, 64), " still has locks held!");  // "comm/pid still has .."
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
  // CONFIG_DEBUG_BUGVERBOSE_DETAILED puts the condition before the file (lib/bug.c, 6.19): "[a < b] file.c:12 at ..".
  if (const std::size_t end = what.find("] "); begins(what, "[") && end != std::string_view::npos) {
    what.remove_prefix(end + 2);
  }
  const std::string_view word = what.substr(0, what.find(' '));
  return has_file_and_line(word) && has(what, " at ");
}

std::optional<Start> start_of_info(std::string_view text, std::string_view what) {
  if (begins(what, "rcu") &&
      (has(what, "self-detected stall") || has(what, "detected stall") || has(what, "detected expedited stall"))) {
    return Start{Kind::rcu_stall, text};
  }
  // "can't die": linux-next's, of a task that was killed
  if (begins(what, "task ") && (has(what, "blocked") || has(what, " can't die")) && has(what, " for more than ")) {
    return Start{Kind::hung_task, text};
  }
  if (is_lockdep(what)) {
    return Start{Kind::lockdep, what};
  }
  return std::nullopt;
}

/// Faults that name themselves: "general protection fault, ...: 0000 [#1] SMP". x86's die() prints any name, four
/// digits of an error code and how often it died so far (arch/x86/kernel/dumpstack.c, 2.6 to 7.x; 5.8 has
/// "divide_error").
bool is_x86_die(std::string_view text) {
  std::size_t mark = text.find('#');  // one character is found faster than " [#"
  while (mark != std::string_view::npos && (mark < 8 || text[mark - 1] != '[' || text[mark - 2] != ' ')) {
    mark = text.find('#', mark + 1);
  }
  if (mark == std::string_view::npos || text[mark - 7] != ' ' || text[mark - 8] != ':') {
    return false;
  }
  std::string_view number = text.substr(mark + 1);
  if (!std::ranges::all_of(text.substr(mark - 6, 4), [](char c) { return hex_value(c) >= 0; }) ||
      !take_decimal(number) || !take(number, "]")) {
    return false;
  }
  skip_blanks(number);
  // "SMP", "PREEMPT", "KASAN", or what another CPU broke in with
  return number.empty() || number.front() == '[' || (number.front() >= 'A' && number.front() <= 'Z');
}

/// SLUB's "BUG kmalloc-64 (Not tainted): Poison overwritten" (mm/slub.c: slab_bug(), 3.3 on), before that without the
/// taint.
bool is_slub_bug(std::string_view text) {
  if (has(text, " (Not tainted): ") || (has(text, " (Tainted: ") && has(text, "): "))) {
    return true;
  }
  static constexpr std::array kWhats = {"Poison overwritten"sv,  "Redzone overwritten"sv,  "Padding overwritten"sv,
                                        "Object already free"sv, "Objects remaining on"sv, "Freelist Pointer"sv,
                                        "Freepointer corrupt"sv, "Wrong object count"sv,   "Freechain corrupt"sv};
  const std::size_t blank = text.find(' ');
  return blank != std::string_view::npos && blank > 1 && text[blank - 1] == ':' &&
         std::ranges::any_of(kWhats, [&](std::string_view w) { return begins(text.substr(blank + 1), w); });
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
  for (const char c : "BCIKNOPUW[abcdfgikorstuw"sv) {
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
      (begins(text, "Oops: ") && has(text, "[#")) || begins(text, "PANIC: double fault") ||
      begins(text, "PANIC: early exception ") || is_x86_die(text)) {
    return Start{Kind::oops, text};
  }
  // Mini-OS, which stub domains run (arch/x86/traps.c)
  if (begins(text, "Page fault at linear address ") && has(text, ", rip ")) {
    return Start{Kind::oops, text};
  }
  // arm64 (4.14) and arm32 (5.18) say what they die of only behind the registers.
  if (begins(text, "Insufficient stack space to handle exception!")) {
    return Start{Kind::panic, text};
  }
  if (begins(text, "kernel BUG at ")) {
    return Start{Kind::bug, text};
  }
  if (take(what, "BUG: ")) {
    const auto kind = kind_of_bug(what);
    return kind ? std::optional(Start{*kind, text}) : std::nullopt;
  }
  if (take(what, "BUG ")) {
    return is_slub_bug(what) ? std::optional(Start{Kind::bug, text}) : std::nullopt;
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
  // "Pid: 1, comm: swapper Not tainted ..": up to 3.9
  if ((begins(text, "CPU: ") && has(text, " PID: ") && has(text, " Comm: ")) ||
      (begins(text, "Pid: ") && has(text, ", comm: "))) {
    return Start{Kind::trace, "Call trace"};
  }
  if (begins(text, "task:") && has(text, " state:")) {
    return Start{Kind::trace, text.substr(0, text.find(' '))};
  }
  return is_trace_header(trimmed(text)) ? std::optional(Start{Kind::trace, "Call trace"}) : std::nullopt;
}

std::optional<Start> xen_start(std::string_view text) {
  // "d1v0 Triple fault - invoking HVM shutdown action 1", with file and line before it up to 4.8 (hvm_triple_fault())
  if (const std::size_t at = text.substr(0, 64).find("Triple fault - invoking HVM shutdown action ");
      at != std::string_view::npos) {
    return Start{Kind::domain_crash, text.substr(at)};
  }
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

bool is_cause(std::string_view text) {
  return begins(text, "Unhandled ") &&
         (begins(text, "Unhandled fault: ") || begins(text, "Unhandled prefetch abort: "));
}

bool is_lead_in(std::string_view text) {
  static constexpr WordSet kFirst(
      std::array{"8<--- cut here"sv, "-----"sv, "====="sv, "SError Interrupt on CPU"sv, "Bad mode in "sv});
  if (!kFirst.begins(text)) {
    return false;
  }
  if (text.front() == 'S' || text.front() == 'B') {
    return true;
  }
  if (begins(text, "8<--- cut here") || (begins(text, "-----") && has(text, "[ cut here ]-----"))) {
    return true;
  }
  return text.size() >= 20 && text.front() == '=' && text.find_first_not_of('=') == std::string_view::npos;
}

}  // namespace xstack::logs
