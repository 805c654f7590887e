// SPDX-License-Identifier: LGPL-2.1-or-later
// The lines of Linux's reports.
#include <algorithm>
#include <array>

#include "logs/builder.h"
#include "logs/words.h"

namespace xstack::logs {
namespace {

using std::string_view_literals::operator""sv;

/// Lines that are a report's and say nothing that is kept. What arm32, arm64, x86 and the detectors write, of all ages.
constexpr WordSet kOthers(std::array{
    "Hardware name:"sv,
    "Tainted:"sv,
    "Workqueue:"sv,
    "Stopper:"sv,
    "Code:"sv,
    "Process "sv,
    "Flags:"sv,
    "Control:"sv,
    "Register r"sv,
    "Mem abort info:"sv,
    "Data abort info:"sv,
    "ESR = "sv,
    "ESR: "sv,
    "FAR: "sv,
    "EC = "sv,
    "SET = "sv,
    "EA = "sv,
    "FSC = "sv,
    "ISV = "sv,
    "CM = "sv,
    "GCS = "sv,
    "Overlay = "sv,
    "user pgtable:"sv,
    "swapper pgtable:"sv,
    "pgd = "sv,
    "PGD "sv,
    "*pdpt = "sv,
    "*pde = "sv,
    "#PF: "sv,
    "Oops: "sv,
    "Internal error: "sv,
    "note: "sv,
    "PHYS_OFFSET:"sv,
    "CPU features:"sv,
    "Memory Limit:"sv,
    "SMP: stopping"sv,
    "SMP: failed to stop"sv,
    "Rebooting in "sv,
    "Read of size "sv,
    "Write of size "sv,
    "Allocated by task"sv,
    "Freed by task"sv,
    "The buggy address"sv,
    "Memory state around"sv,
    "which belongs to"sv,
    "The buggy"sv,
    "flags: "sv,
    "raw: "sv,
    "page: "sv,
    "page dumped because"sv,
    "INFO: lockdep is turned off"sv,
    "rcu:"sv,
    "Sending NMI"sv,
    "NMI backtrace"sv,
    "irq event stamp"sv,
    "hardirqs last"sv,
    "softirqs last"sv,
    "Task dump for CPU"sv,
    "(t="sv,
    "(detected by"sv,
    "Dumping ftrace"sv,
    "Showing all locks"sv,
    "Preemption disabled at"sv,
    "in_atomic():"sv,
    "hung_task:"sv,
    R"("echo 0 >)"sv,
    "Not tainted "sv,
    "other info that might"sv,
    "stack backtrace:"sv,
    "but task is"sv,
    "which lock already"sv,
    "and this task"sv,
    "the existing dependency"sv,
    "Possible unsafe locking"sv,
    "*** DEADLOCK ***"sv,
    "Exception stack"sv,
    "Insufficient stack space"sv,
    "Task stack:"sv,
    "IRQ stack:"sv,
    "Overflow stack:"sv,
    "Unable to handle kernel"sv,
    "Fixing recursive fault"sv,
    "BUG: "sv,
    "kernel BUG at"sv,
    "KASAN: "sv,
    "task: "sv,
    "last sysfs file"sv,
    "Pid: "sv,
    "value changed:"sv,
    "Reported by Kernel Concurrency"sv,
    "race at unknown"sv,
    "read to 0x"sv,
    "write to 0x"sv,
    "Local variable"sv,
    "Uninit was"sv,
    "Bytes "sv,
    "kfence-#"sv,
    "allocated by task"sv,
    "freed by task"sv,
    "Use-after-free "sv,
    "Out-of-bounds "sv,
    "Invalid "sv,
    "Corrupted memory"sv,
    "index "sv,
    "shift exponent"sv,
    "signed integer overflow"sv,
    "load of "sv,
    "member access"sv,
    "scheduling while atomic"sv,
    "no locks held by"sv,
    "Last potentially related"sv,
    "Second to last"sv,
    "---[ end Kernel panic"sv,
    "---[ end trace"sv,
    "panic_on_warn set"sv,
    "Thread overran stack"sv,
    "FS:"sv,
    "CR2:"sv,
    "8<--- cut here"sv,
    "CPU: "sv,
    "Bad mode in"sv,
    "SError Interrupt"sv,
    "Unhandled fault:"sv,
    "Unhandled prefetch"sv,
    "Modules linked in"sv,
    "WARNING: stack"sv,
    "WARNING: kernel stack"sv,
    "unwind stack type"sv,
    "Possible timer handling"sv,
    "Unless rcu"sv,
    "RCU grace-period"sv,
    "Sched_ext:"sv,
    "task:"sv,
    "Dumping "sv,
    "Freed in"sv,
    "Allocated in"sv,
    "INFO: Freed in"sv,
    "INFO: Allocated in"sv,
    "INFO: Slab 0x"sv,
    "INFO: Object 0x"sv,
    "INFO: 0x"sv,
    "FIX "sv,
    "Slab 0x"sv,
    "Object "sv,
    "Redzone"sv,
    "Padding"sv,
});

bool is_other(std::string_view text) {
  return kOthers.begins(text);
}

/// " <TASK>", "</IRQ>", "<#DF>", "<<EOE>>".
bool is_section(std::string_view text) {
  return text.size() >= 4 && text.size() <= 24 && text.front() == '<' && text.back() == '>' && text[1] != '0';
}

/// arm32's "r7:c1c20000 r6:600000d3" between the frames of frame-pointer kernels.
bool is_saved_registers(std::string_view text) {
  if (text.size() < 5 || text[0] != 'r' || !is_digit(text[1])) {
    return false;
  }
  const std::size_t colon = text.substr(0, 4).find(':');
  if (colon == std::string_view::npos) {
    return false;
  }
  std::string_view rest = text.substr(colon + 1);
  return take_hex(rest, 8).has_value();
}

/// arm32's rows "3f40: c8102ff0 00000000", the first of which may begin with blanks; KASAN's ">ffff.. : 00 00 fc".
bool take_label(std::string_view& text) {
  std::string_view rest = text;
  (void)take(rest, ">");
  const std::size_t before = rest.size();
  if (!take_hex(rest, 3) || before - rest.size() > 16 || !take(rest, ":")) {
    return false;
  }
  text = rest;
  return true;
}

bool is_row(std::string_view rest) {
  std::size_t words = 0;
  while (words < 40) {
    skip_blanks(rest);
    if (rest.empty()) {
      return words != 0;
    }
    const std::size_t end = std::min(rest.find(' '), rest.size());
    const std::string_view word = rest.substr(0, end);
    if ((end != 2 && end != 4 && end != 8 && end != 16) || !std::ranges::all_of(word, [](char c) {
          return hex_value(c) >= 0 || "?xX*"sv.find(c) != std::string_view::npos;
        })) {
      return false;
    }
    rest.remove_prefix(end);
    ++words;
  }
  return true;
}

/// Memory about the registers, of Android's kernels of 3.x and 4.x (show_extra_register_data()): "SP: 0xc0dce210:", and
/// rows as "e210  c0b5c280 ********".
bool is_memory_dump(std::string_view text) {
  if (text.back() == ':') {
    const std::size_t at = text.substr(0, 8).find(": 0x");
    if (at == std::string_view::npos) {
      return false;
    }
    std::string_view rest = text.substr(at + 4);
    return take_hex(rest, 8) && rest == ":";
  }
  if (text.size() < 14 || text[4] != ' ' || text[5] != ' ') {
    return false;
  }
  std::string_view label = text.substr(0, 4);
  return take_hex(label, 4) && is_row(text.substr(6));
}

}  // namespace

void Builder::settle_arch() {
  if (!report_.arch.empty()) {
    return;
  }
  const auto has = [&](std::string_view name) {
    return std::ranges::any_of(report_.registers, [&](const auto& r) { return r.first == name; });
  };
  const bool arm32 = has("r1") && (has("psr") || has("cpsr"));
  if (has("x1") || has("pstate") || has("x29")) {
    report_.arch = "arm64";
  } else if (arm32) {
    report_.arch = "arm32";
  } else if (has("rax") || has("rsp")) {
    report_.arch = "x86_64";
  } else if (has("eax") || has("esp")) {
    report_.arch = "x86_32";
  }
}

/// A row of "=" ends the sanitizers' reports, and "panic_on_warn set" may follow; lockdep's have them at both ends, as
/// has khungtaskd's list of locks. Elsewhere it is the next report's. "cut here" belongs to what comes.
Builder::Took Builder::take_lead_in(char first) {
  if (first != '=') {
    return Took::neutral;
  }
  switch (report_.kind) {
    case Kind::kasan:
    case Kind::kfence:
    case Kind::kmsan:
    case Kind::kcsan:
    case Kind::ubsan:
      if (ending_ || report_.frames.empty()) {
        return Took::neutral;
      }
      ending_ = true;
      in_trace_ = false;
      return Took::yes;
    case Kind::lockdep:
    case Kind::hung_task:
      return Took::yes;
    default:
      return Took::no;
  }
}

Builder::Taken Builder::take_known(std::string_view body, std::uint64_t number) {
  using Take = Taken (Builder::*)(std::string_view, std::uint64_t);
  using Entry = std::pair<std::string_view, Take>;
  static constexpr WordMap kKnown(
      std::array{Entry{"PC is at ", &Builder::take_place}, Entry{"LR is at ", &Builder::take_place},
                 Entry{"pc : ", &Builder::take_counter}, Entry{"lr : ", &Builder::take_counter},
                 Entry{"RIP: ", &Builder::take_counter}, Entry{"EIP: ", &Builder::take_counter},
                 Entry{"IP: ", &Builder::take_counter}, Entry{"Modules linked in:", &Builder::take_module_list},
                 Entry{"CPU", &Builder::take_cpu}, Entry{"Pid: ", &Builder::take_cpu},
                 Entry{"Process ", &Builder::take_process}, Entry{"Kernel Offset: ", &Builder::take_kaslr},
                 Entry{"---[ end ", &Builder::take_end}, Entry{"Stack:", &Builder::take_stack_header}});
  const Take* const take_it = kKnown.find(body);
  return take_it != nullptr ? (this->**take_it)(body, number) : std::nullopt;
}

/// arm32's "PC is at name+0x1/0x2", and LR.
Builder::Taken Builder::take_place(std::string_view body, std::uint64_t number) {
  const bool pc = body.front() == 'P';
  body.remove_prefix(9);
  Frame frame;
  frame.exact = pc;
  if (take_symbol(body, frame)) {
    take_module(body, frame);
    add_spot(number, Spot::What::frame, frame);
    if (pc && !pc_) {
      pc_ = std::move(frame);
    }
  }
  return Took::yes;
}

/// "pc : name+0x1/0x2", "RIP: 0010:name+..", "RIP: e030:[<addr>]  [<addr>] name+..", "IP: [<addr>] name+..".
Builder::Taken Builder::take_counter(std::string_view body, std::uint64_t number) {
  const char first = body.front();
  const bool user = begins(body, "RIP: 0033:") || begins(body, "RIP: e033:");
  const std::size_t plus = body.find("+0x");
  if (plus != std::string_view::npos && !(user && plus > 64)) {
    std::size_t at = body.rfind(' ', plus);
    if (const std::size_t colon = body.rfind(':', plus); colon != std::string_view::npos && colon > at) {
      at = colon;
    }
    std::string_view token = body.substr(at + 1);
    Frame frame;
    frame.exact = first != 'l';
    if (take_symbol(token, frame)) {
      take_module(token, frame);
      add_spot(number, Spot::What::frame, frame);
      if (first != 'l' && !pc_ && !registers_done_) {
        pc_ = std::move(frame);
      }
    }
  }
  (void)take_registers(body, number);
  if (report_.arch.empty() && (first == 'R' || first == 'E')) {
    report_.arch = first == 'R' ? "x86_64" : "x86_32";
  }
  if (first == 'E' && !report_.cpu) {
    report_.cpu = number_after(body, " CPU: ");  // i386 up to 3.9
  }
  return Took::yes;
}

Builder::Taken Builder::take_module_list(std::string_view body, std::uint64_t /*number*/) {
  if (report_.modules.empty()) {
    take_modules(body.substr(18));
  }
  return Took::yes;
}

/// Who runs, on which CPU; and the CPUs that a panic stops.
Builder::Taken Builder::take_cpu(std::string_view body, std::uint64_t /*number*/) {
  if ((begins(body, "CPU: ") && body.find("ainted") != std::string_view::npos) ||
      (begins(body, "Pid: ") && body.find(", comm: ") != std::string_view::npos)) {
    take_cpu_line(body);
    if (report_.kind == Kind::trace && report_.title == "Call trace" && !report_.comm.empty()) {
      report_.title = "Call trace of " + report_.comm;
    }
    // Another CPU's, when the report has its trace already.
    frames_done_ = frames_done_ || !report_.frames.empty();
    registers_done_ = registers_done_ || frames_done_;
    return Took::yes;
  }
  if (begins(body, "CPU ") && body.size() < 10 && !report_.cpu) {
    std::string_view number_alone = body.substr(4);  // x86 up to 3.8
    report_.cpu = take_decimal(number_alone);
    return Took::yes;
  }
  if (body.front() == 'C' && body.ends_with(": stopping")) {
    frames_done_ = true;
    registers_done_ = true;
    return Took::yes;
  }
  return std::nullopt;
}

/// "Process sh (pid: 93, stack limit = 0x..)".
Builder::Taken Builder::take_process(std::string_view body, std::uint64_t /*number*/) {
  if (!report_.comm.empty() || report_.kind == Kind::hung_task) {
    return std::nullopt;
  }
  if (const std::size_t at = body.rfind(" (pid: "); at != std::string_view::npos && at > 8) {
    report_.comm = std::string(body.substr(8, std::min<std::size_t>(at - 8, 64)));
    report_.pid = report_.pid ? report_.pid : number_after(body.substr(at), "pid: ");
  }
  return Took::yes;
}

Builder::Taken Builder::take_kaslr(std::string_view body, std::uint64_t /*number*/) {
  std::string_view value = body.substr(15);
  if (begins(value, "disabled")) {
    report_.kaslr_offset = 0;
  } else if (take(value, "0x")) {
    report_.kaslr_offset = take_hex(value);
  }
  return Took::yes;
}

Builder::Taken Builder::take_end(std::string_view body, std::uint64_t /*number*/) {
  if (begins(body, "---[ end Kernel panic")) {
    return Took::last;
  }
  if (!begins(body, "---[ end trace")) {
    return std::nullopt;
  }
  ending_ = true;
  in_trace_ = false;
  return Took::yes;
}

Builder::Taken Builder::take_stack_header(std::string_view /*body*/, std::uint64_t /*number*/) {
  in_stack_ = true;
  return Took::yes;
}

/// What RCU says of a stall beyond its traces.
Builder::Taken Builder::take_stall(std::string_view body) {
  if (body.find("grace-period kthread stack dump") != std::string_view::npos ||
      body.find("Stack dump where RCU GP kthread") != std::string_view::npos) {
    skip_trace_ = true;
    return Took::yes;
  }
  if (begins(body, "CPU: ") || begins(body, "NMI backtrace for cpu ")) {
    skip_trace_ = false;
  }
  std::string_view cpu = body;
  (void)take(cpu, "rcu: ");
  skip_blanks(cpu);
  if (const auto stalled = take_decimal(cpu); stalled && begins(cpu, "-") && !report_.cpu) {
    report_.cpu = stalled;  // "1-....: (680 ticks this GP) ..."
    return Took::yes;
  }
  if (begins(body, "Task dump for CPU ")) {
    // Behind the dump of where RCU's thread ran last comes that of the CPU that stalls.
    skip_trace_ = skip_trace_ && (!report_.cpu || number_after(body, "CPU ") != report_.cpu);
    return Took::yes;
  }
  return begins(body, "task:") ? Taken(Took::yes) : std::nullopt;
}

Builder::Took Builder::take_linux(std::string_view text, std::uint64_t number) {
  const std::string_view body = trimmed(text);
  if (body.empty()) {
    end_headless_trace();
    return Took::neutral;
  }
  if (is_lead_in(body)) {
    return take_lead_in(body.front());
  }
  if (body == "Call trace:" || body == "Call Trace:" || body == "Backtrace:" || begins(body, "Call Trace: ")) {
    begin_trace();
    registers_done_ = true;
    return Took::yes;
  }
  if (take_frames(text, number)) {
    return ending_ ? Took::neutral : Took::yes;
  }
  end_headless_trace();
  if (is_section(body) || is_saved_registers(body)) {
    return Took::yes;
  }
  if (report_.kind == Kind::rcu_stall) {
    if (const Taken taken = take_stall(body)) {
      return *taken;
    }
  }
  if (report_.title.ends_with("not syncing:") && report_.last_line == number - 1) {
    report_.title += " " + std::string(body.substr(0, 280));  // kernels with PREEMPT_RT of 5.10 break the line
    return Took::yes;
  }
  if (const Taken taken = take_known(body, number)) {
    return *taken;
  }
  if (is_memory_dump(body)) {
    return Took::yes;
  }
  if (take_registers(body, number)) {
    return Took::yes;
  }
  std::string_view row = body;
  if (take_label(row) && is_row(row)) {
    if (in_stack_) {
      (void)take_stack_row(row, number);
    }
    return Took::yes;
  }
  if (in_stack_ && take_stack_row(body, number)) {
    return Took::yes;
  }
  if (body.front() == '^' || is_other(body) || body.find("locks held by") != std::string_view::npos ||
      body.find("lock held by") != std::string_view::npos || (body.front() == '[' && body.find("] *pgd") < 24) ||
      (body.front() == '[' && body.find("] pgd=") < 24)) {
    return ending_ && begins(body, "BUG: ") ? Took::no : Took::yes;
  }
  return Took::no;
}

}  // namespace xstack::logs
