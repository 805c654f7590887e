// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/builder.h"

#include <algorithm>
#include <array>

#include "logs/signature.h"
#include "logs/tokens.h"
#include "logs/words.h"

namespace xstack::logs {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t kMostFrames = 256;
constexpr std::size_t kMostSpots = 4096;
constexpr std::size_t kUsualFrames = 24;
constexpr std::size_t kUsualSpots = 48;
constexpr std::size_t kMostWords = 4096;
constexpr std::size_t kMostModules = 512;
constexpr std::size_t kLongestTitle = 300;

/// Is a panic for this reason what a report of this kind ends in? A kernel that warned may panic of something else soon
/// after.
bool ends_in_panic(Kind kind, std::string_view reason) {
  const auto has = [&](std::string_view piece) { return reason.find(piece) != std::string_view::npos; };
  switch (kind) {
    case Kind::oops:
    case Kind::bug:
      return true;
    case Kind::rcu_stall:
      return has("RCU") || has("rcu");
    case Kind::soft_lockup:
    case Kind::hard_lockup:
      return has("lockup") || has("hung");
    case Kind::hung_task:
      return has("hung");
    case Kind::warning:
    case Kind::kasan:
    case Kind::kfence:
    case Kind::kmsan:
    case Kind::kcsan:
    case Kind::ubsan:
    case Kind::lockdep:
      return has("panic_on_") || has("=panic");
    default:
      return false;
  }
}

std::string short_title(std::string_view text) {
  return std::string(trimmed(text).substr(0, kLongestTitle));
}

/// Where Xen prints another register under this name (xen/arch/arm/traps.c, 4.4 to 4.20): r11 for FIQ's r12, and of a
/// 32-bit guest on arm64 x30, which is FIQ's LR, for USR's.
bool is_another_register(std::string_view name, std::string_view arch) {
  return name == "r12_fiq" || (name == "lr_usr" && arch == "arm64");
}

/// arm32: where Linux takes an exception, LR of that mode holds the handler's address: no return address.
bool is_handlers_lr(std::string_view name) {
  return name == "lr_irq" || name == "lr_abt" || name == "lr_und" || name == "lr_fiq";
}

}  // namespace

Builder::Builder(const Start& start, const Line& line, std::uint64_t number, std::uint64_t first_number)
    : caller_(line.caller), led_(first_number != number), kernel_time_(line.kernel_time) {
  report_.frames.reserve(kUsualFrames);
  spots_.reserve(kUsualSpots);
  report_.kind = start.kind;
  report_.title = short_title(start.title);
  report_.origin = line.origin;
  if (line.origin.who == Origin::Who::domain) {
    report_.domain = line.origin.domain;
  }
  report_.time = std::string(line.time);
  report_.first_line = first_number;
  report_.last_line = number;
  died_ = begins(line.text, "Internal error: ") || line.text.find("Oops: ") != std::string_view::npos ||
          line.text.find("[#") != std::string_view::npos;
  note(line, number);
  // The line is read as any other too: "CPU: 1 PID: 2 Comm: sh", "Call trace:", "Guest stack trace from sp=..".
  (void)(line.origin.who == Origin::Who::xen ? take_xen(line.text, number) : take_linux(line.text, number));
}

/// What a first line says beyond its title.
void Builder::note(const Line& line, std::uint64_t number) {
  const std::string_view text = line.text;
  if (line.origin.who == Origin::Who::xen) {
    take_context(text);
    return;
  }
  switch (report_.kind) {
    case Kind::warning:
    case Kind::kasan:
    case Kind::kfence:
    case Kind::kmsan:
    case Kind::kcsan:
      take_location(text, number);
      take_cpu_line(text);
      break;
    case Kind::soft_lockup:
      report_.cpu = number_after(text, "CPU#");
      if (const auto task = text_after(text, "! [", "]"); !task.empty()) {
        report_.comm = std::string(task.substr(0, task.rfind(':')));
        report_.pid = number_after(task.substr(std::min(task.size(), report_.comm.size())), ":");
      }
      break;
    case Kind::hard_lockup:
      report_.cpu = number_after(text, "LOCKUP on cpu ");
      break;
    case Kind::hung_task:
      if (const auto task = text_after(text, "task ", " "); !task.empty()) {
        report_.comm = std::string(task.substr(0, task.rfind(':')));
        report_.pid = number_after(task.substr(std::min(task.size(), report_.comm.size())), ":");
      }
      break;
    case Kind::trace:
      if (begins(text, "task:")) {
        report_.comm = std::string(text_after(text, "task:", " "));
        std::string_view pid = text_after(text, " pid:", "p");
        skip_blanks(pid);
        report_.pid = take_decimal(pid);
        report_.title = "Task " + report_.comm;
      }
      break;
    default:
      break;
  }
}

unsigned Builder::patience() const {
  if (ending_) {
    return 4;
  }
  if (report_.origin.who == Origin::Who::xen) {
    return 3;
  }
  // Other CPUs may say much before "Oops:" follows its "BUG: unable to handle".
  const bool dying = report_.kind == Kind::oops && !died_ && report_.registers.empty();
  return dying ? 64 : report_.kind == Kind::lockdep ? 40 : report_.kind == Kind::trace ? 6 : 16;
}

bool Builder::absorb(const Start& start, const Line& line, std::uint64_t number) {
  bool same = false;
  if (line.origin.who == Origin::Who::xen) {
    const bool dump = report_.kind == Kind::register_dump;
    const bool fresh = report_.registers.empty();
    if (fresh && report_.kind == Kind::domain_crash && begins(report_.title, "Triple fault") &&
        begins(start.title, "*** Dumping Dom")) {
      same = true;
    } else if (start.kind == Kind::register_dump) {
      const bool header = begins(start.title, "----[ Xen-");
      same = report_.kind != Kind::debug_key && !begins(start.title, "*** Dumping") && (!header || fresh);
    } else if (start.kind == Kind::domain_crash) {
      same = fresh && (report_.kind == Kind::domain_crash || (dump && begins(report_.title, "Pagetable walk from ")));
      if (same && dump) {
        report_.title = short_title(start.title);
      } else if (same && begins(start.title, "Domain ")) {
        report_.title += "; " + short_title(start.title);
        report_.title.resize(std::min(report_.title.size(), kLongestTitle));
      }
    } else if (start.kind == Kind::xen_panic) {
      same =
          dump || report_.kind == Kind::xen_bug || report_.kind == Kind::xen_assert || report_.kind == Kind::xen_panic;
      if (same && dump) {
        report_.title = short_title(start.title);
      }
    } else if (start.kind == report_.kind) {
      // "Panic on CPU 0:" is followed by the same words again.
      same = panic_title_ || start.title == report_.title;
    }
    if (same && dump) {
      report_.kind = start.kind;
    }
    if (same) {
      take_context(line.text);
      (void)take_xen(line.text, number);
    }
  } else {
    same = absorb_linux(start, line, number);
  }
  if (same) {
    misses_ = 0;
    report_.last_line = number;
  }
  return same;
}

bool Builder::absorb_linux(const Start& start, const Line& line, std::uint64_t number) {
  if (is_said_again(start, number)) {
    return true;
  }
  bool same = false;
  if (begins(report_.title, "Insufficient stack space") && (start.kind == Kind::panic || start.kind == Kind::oops)) {
    same = true;
    report_.kind = start.kind;
    report_.title = short_title(start.title);
    died_ = start.kind == Kind::oops;
    registers_done_ = start.kind == Kind::panic;
  } else if (start.kind == Kind::oops && report_.kind == Kind::trace) {
    // Up to 4.8 arm64's "Bad mode in .. handler" showed the registers before it died, which shows them again.
    same = report_.frames.empty() && !report_.registers.empty() && number - report_.last_line <= 2;
    if (same) {
      report_.kind = Kind::oops;
      report_.title = short_title(start.title);
      died_ = true;
    }
  } else if (start.kind == Kind::oops) {
    const bool dies = begins(line.text, "Internal error: ") || line.text.find("[#") != std::string_view::npos;
    same = !died_ && dies && !ending_ && (report_.kind == Kind::oops || report_.kind == Kind::bug);
    died_ = died_ || same;
  } else if (start.kind == Kind::panic && report_.kind == Kind::trace && report_.frames.empty()) {
    // arm64's SError and stack overflow: registers first, then the panic that they are of.
    same = true;
    report_.kind = Kind::panic;
    report_.title = short_title(start.title);
    registers_done_ = true;
  } else if (start.kind == Kind::panic) {
    same = ends_in_panic(report_.kind, line.text) && report_.panic.empty();
    if (same) {
      report_.panic = short_title(text_after(line.text, "not syncing", "\n"));
      if (begins(report_.panic, ": ")) {
        report_.panic.erase(0, 2);
      }
      frames_done_ = frames_done_ || !report_.frames.empty();
      registers_done_ = true;
      in_trace_ = false;
      ending_ = false;
    }
  } else if (start.kind == Kind::trace) {
    // The parts that a trace begins with are parts of every report.
    same = !(report_.kind == Kind::trace && begins(line.text, "task:") && !report_.frames.empty()) && !ending_ &&
           take_linux(line.text, number) != Took::no;
  }
  return same;
}

/// The same event in other words: a line that another console printed too; WARN()'s own line behind its message, or the
/// message behind the line (lib/bug.c, kernel/panic.c: up to 4.15 or so the message came last). fs/dcache.c's "BUG:
/// Dentry .. still in use" and the hard lockups of up to 3.x are such messages.
bool Builder::is_said_again(const Start& start, std::uint64_t number) {
  const bool fresh = report_.frames.empty() && report_.registers.empty() && !in_trace_;
  if (!fresh || number - report_.last_line > 2 || start.kind == Kind::trace) {
    return false;
  }
  if (start.kind == report_.kind && start.title == report_.title) {
    return true;
  }
  if (report_.kind == Kind::kasan && start.title.ends_with("kasan: bad access detected")) {
    return true;  // up to 4.8 SLUB told more of the object (mm/kasan/report.c: object_err())
  }
  if (start.kind == Kind::warning) {
    if (!led_ || (report_.kind != Kind::bug && report_.kind != Kind::hard_lockup)) {
      return false;
    }
    take_location(start.title, number);
    take_cpu_line(start.title);
    return true;
  }
  if (report_.kind == Kind::warning && start.kind == Kind::hard_lockup) {
    report_.kind = start.kind;
    report_.title = short_title(start.title);
    report_.cpu = number_after(start.title, "LOCKUP on cpu ");
    return true;
  }
  return false;
}

Builder::Took Builder::feed(const Line& line, std::uint64_t number) {
  const bool foreign = kernel_time_ && !line.kernel_time;
  if (foreign && misses_ != 0) {
    ++misses_;
    return Took::no;  // of a program, or of the loader of the next boot, whatever it looks like
  }
  const Took took = line.origin.who == Origin::Who::xen ? take_xen(line.text, number) : take_linux(line.text, number);
  if (took == Took::no) {
    misses_ += foreign ? 1 : kLine;
  } else if (took != Took::neutral) {
    misses_ = 0;
    report_.last_line = number;
  }
  return took;
}

bool Builder::finish() {
  settle_arch();
  auto& frames = report_.frames;
  if (pc_) {
    const auto same = [&](const Frame& f) { return !f.guess && f.symbol == pc_->symbol; };
    if (!frames.empty() && !frames.front().offset && same(frames.front())) {
      frames.front() = *pc_;  // arm32's first half has the name alone
    } else if (std::ranges::none_of(frames, [&](const Frame& f) { return same(f) && f.offset == pc_->offset; })) {
      frames.insert(frames.begin(), *pc_);
    }
  }
  if (frames.empty()) {
    for (const auto& [name, value] : report_.registers) {
      if (name == "pc" || name == "rip" || name == "eip") {
        Frame frame;
        frame.address = value;
        frame.exact = true;
        frames.push_back(std::move(frame));
        break;
      }
    }
  }
  const bool header_only = (report_.kind == Kind::trace || report_.kind == Kind::register_dump) && frames.empty() &&
                           report_.registers.empty() && report_.stack.empty();
  report_.signature = signature_of(report_);
  return !header_only;
}

void Builder::add_spot(std::uint64_t number, Spot::What what, Frame frame) {
  if (spots_.size() < kMostSpots) {
    Spot& spot = spots_.emplace_back();
    spot.line = number;
    spot.what = what;
    spot.frame = std::move(frame);
  }
}

void Builder::begin_trace() {
  if (in_trace_ && report_.frames.empty()) {
    return;
  }
  frames_done_ = frames_done_ || !report_.frames.empty();
  in_trace_ = true;
  in_stack_ = false;
}

/// The first trace of KFENCE, KMSAN and KCSAN is the one that counts, and ends with the first other line.
void Builder::end_headless_trace() {
  if (headless_) {
    headless_ = false;
    in_trace_ = false;
    frames_done_ = true;
  }
}

bool Builder::take_frames(std::string_view text, std::uint64_t number) {
  std::vector<Frame>& found = found_frames_;
  found.clear();
  const bool xen = report_.origin.who == Origin::Who::xen;
  const TraceLine line = xen ? TraceLine{parse_xen_trace_line(text, found), false} : parse_trace_line(text, found);
  if (!line.is_frame) {
    return false;
  }
  const bool bare = report_.kind == Kind::kfence || report_.kind == Kind::kmsan || report_.kind == Kind::kcsan;
  if (line.from && !in_trace_) {
    begin_trace();  // arm32 without a header
  } else if (bare && !in_trace_ && report_.frames.empty()) {
    begin_trace();
    headless_ = true;
  }
  for (const Frame& frame : found) {
    if (frame.offset || frame.address) {
      add_spot(number, Spot::What::frame, frame);
    }
  }
  if (!in_trace_ || frames_done_ || skip_trace_) {
    return true;
  }
  if (line.from && report_.arch.empty()) {
    report_.arch = "arm32";
  }
  // arm32 names each function twice: as the caller in one line and as the callee in the next.
  const bool first = report_.frames.empty();
  for (std::size_t i = line.from && !first ? 1 : 0; i < found.size() && report_.frames.size() < kMostFrames; ++i) {
    report_.frames.push_back(std::move(found[i]));
  }
  return true;
}

bool Builder::take_stack_row(std::string_view text, std::uint64_t number) {
  std::vector<std::uint64_t>& words = found_words_;
  words.clear();
  const unsigned bytes = parse_word_row(text, words);
  if (bytes == 0) {
    return false;
  }
  for (const auto word : words) {
    Frame frame;
    frame.address = word;
    add_spot(number, Spot::What::word, std::move(frame));
  }
  if (report_.stack.size() + words.size() <= kMostWords && (report_.stack_word == 0 || report_.stack_word == bytes)) {
    report_.stack_word = bytes;
    report_.stack.insert(report_.stack.end(), words.begin(), words.end());
  }
  return true;
}

bool Builder::take_registers(std::string_view text, std::uint64_t number) {
  Registers& found = found_registers_;
  found.clear();
  if (!parse_register_line(text, found)) {
    return false;
  }
  if (report_.origin.who == Origin::Who::xen) {
    std::erase_if(found, [&](const auto& entry) { return is_another_register(entry.first, report_.arch); });
  }
  for (const auto& [name, value] : found) {
    if (name == "pc" || name == "lr" || name == "rip" || name == "eip" || name == "elr_el1" || begins(name, "lr_")) {
      Frame frame;
      frame.address = value;
      frame.exact = name[0] != 'l' || is_handlers_lr(name);
      add_spot(number, Spot::What::register_value, std::move(frame));
    }
  }
  if (!registers_done_ && !ending_ && report_.registers.size() + found.size() <= 160) {
    for (auto& entry : found) {
      if (!has_register(report_.registers, entry.first)) {
        report_.registers.push_back(std::move(entry));
      }
    }
  }
  return true;
}

/// "CPU: 0 PID: 1 Comm: x Not tainted 5.10.0 #1 ..", up to 3.9 "Pid: 1, comm: x Not tainted 3.2.0 #1" (in brackets up
/// to 2.6.37), on arm32 up to 3.9 "CPU: 0    Not tainted  (3.2.0 #1)": whoever was running.
void Builder::take_cpu_line(std::string_view text) {
  if (report_.kind != Kind::hung_task) {  // whose line this is, is khungtaskd
    take_task_line(text);
  }
  if (report_.release.empty()) {
    take_release(text);
  }
}

void Builder::take_task_line(std::string_view text) {
  for (const auto key : {"CPU: "sv, "CPU#"sv}) {
    report_.cpu = report_.cpu ? report_.cpu : number_after(text, key);
  }
  for (const auto key : {"PID: "sv, "Pid: "sv}) {
    report_.pid = report_.pid ? report_.pid : number_after(text, key);
  }
  if (!report_.comm.empty()) {
    return;
  }
  std::string_view comm;
  for (const auto key : {" Comm: "sv, ", comm: "sv}) {
    comm = comm.empty() ? text_after(text, key, "\n") : comm;
  }
  if (const std::size_t taint = comm.find("ainted"); taint != std::string_view::npos) {
    comm = comm.substr(0, taint);  // "name Not t", "name T"
    const std::size_t end = comm.rfind(comm.ends_with("Not t") ? " Not" : " T");
    comm = comm.substr(0, end == std::string_view::npos ? 0 : end);
  }
  comm = trimmed(comm);
  // 4.18 on, when a crash kernel is loaded (lib/dump_stack.c)
  comm = comm.substr(0, comm.find(" Kdump: loaded"));
  comm = comm.substr(0, comm.find(" veid: "));  // OpenVZ
  report_.comm = std::string(comm.substr(0, 64));
}

/// Letters of taint stand before the release: single ones, or "[W]=WARN,". A release begins with a digit.
void Builder::take_release(std::string_view text) {
  std::string_view rest = text_after(text, "ainted", "\n");
  for (std::size_t i = 1; i + 1 < rest.size(); ++i) {
    if (is_digit(rest[i]) && (rest[i - 1] == ' ' || rest[i - 1] == '(')) {
      rest.remove_prefix(i);
      report_.release = std::string(rest.substr(0, std::min<std::size_t>(rest.find(' '), 128)));
      break;
    }
  }
  const std::string_view last = rest.substr(rest.rfind(' ') + 1);
  if (last.size() == 40 && std::ranges::all_of(last, [](char c) { return hex_value(c) >= 0; })) {
    report_.build_id = std::string(last);  // CONFIG_STACKTRACE_BUILD_ID
  }
}

void Builder::take_modules(std::string_view text) {
  while (!text.empty() && report_.modules.size() < kMostModules) {
    skip_blanks(text);
    if (begins(text, "[last unloaded") || text.empty()) {
      break;
    }
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    word = word.substr(0, word.find('('));
    report_.modules.emplace_back(word.substr(0, 64));
  }
}

/// The first "name+0x1/0x2" of a line: where it happened.
void Builder::take_location(std::string_view text, std::uint64_t number) {
  std::size_t at = text.find("+0x");
  if (at == std::string_view::npos) {
    return;
  }
  at = text.rfind(' ', at);
  std::string_view rest = text.substr(at == std::string_view::npos ? 0 : at + 1);
  Frame frame;
  frame.exact = true;
  if (take_symbol(rest, frame)) {
    take_module(rest, frame);
    add_spot(number, Spot::What::frame, frame);
    if (!pc_) {
      pc_ = frame;
    }
  }
}

/// "CONTEXT: pv guest (d3v0)", "Domain 3 (vcpu#0) crashed on cpu#1:", "*** Dumping CPU1 guest state (d1v0): ***".
void Builder::take_context(std::string_view text) {
  if (begins(text, "Domain ")) {
    report_.domain = number_after(text, "Domain ");
    report_.vcpu = number_after(text, "(vcpu#");
    report_.cpu = number_after(text, " cpu#");
    return;
  }
  if (begins(text, "*** Dumping Dom")) {
    report_.domain = number_after(text, "Dom");
    report_.vcpu = number_after(text, "vcpu#");
    return;
  }
  if (begins(text, "*** Dumping CPU") || begins(text, "Panic on CPU ")) {
    report_.cpu = number_after(text, "CPU");
    if (!report_.cpu) {
      report_.cpu = number_after(text, "CPU ");
    }
  } else if (begins(text, "CPU") && text.find(": Unexpected Trap") != std::string_view::npos) {
    report_.cpu = number_after(text, "CPU");
  }
  if (text.find("hypervisor (") != std::string_view::npos || text.find("host state") != std::string_view::npos) {
    return;  // the domain that happened to be current
  }
  if (const std::size_t at = text.find(" Triple fault - "); at != std::string_view::npos) {
    // "hvm.c:1421:d1v0 Triple fault .."
    const std::string_view word = text.substr(0, at);
    const std::string_view name = word.substr(word.rfind(':') + 1);
    report_.domain = number_after(name, "d");
    report_.vcpu = number_after(name, "v");
    return;
  }
  if (const std::size_t at = text.find("(d"); at != std::string_view::npos) {
    std::string_view rest = text.substr(at + 2);
    const auto domain = take_decimal(rest);
    if (domain && take(rest, "v")) {
      const auto vcpu = take_decimal(rest);
      if (vcpu && begins(rest, ")")) {
        report_.domain = domain;
        report_.vcpu = vcpu;
      }
    }
  }
}

}  // namespace xstack::logs
