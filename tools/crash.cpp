// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/crash.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace xstack {
namespace {

constexpr std::string_view kPanic = "Kernel panic - not syncing:";
constexpr std::size_t kNear = 80;  // records between an oops, its "CPU: 0 PID: 1 Comm: sh" line and the panic
constexpr std::size_t kMaxMessage = 512;

/// How an oops begins (arch/*/mm/fault.c, traps.c, lib/bug.c).
constexpr std::array<std::string_view, 9> kOopses = {
    "Unable to handle kernel ", "BUG: unable to handle ",   "BUG: kernel NULL pointer dereference",
    "kernel BUG at ",           "general protection fault", "Oops",
    "Internal error: ",         "Unhandled fault: ",        "Unhandled prefetch abort: "};

/// What lies between panic() and the code that is to blame.
constexpr std::array<std::string_view, 62> kMachinery = {"panic",
                                                         "vpanic",
                                                         "nmi_panic",
                                                         "die",
                                                         "__die",
                                                         "oops_end",
                                                         "oops_exit",
                                                         "make_task_dead",
                                                         "do_exit",
                                                         "rewind_stack_do_exit",
                                                         "rewind_stack_and_make_dead",
                                                         "page_fault_oops",
                                                         "no_context",
                                                         "kernelmode_fixup_or_oops",
                                                         "__bad_area",
                                                         "__bad_area_nosemaphore",
                                                         "bad_area_nosemaphore",
                                                         "bad_area",
                                                         "do_user_addr_fault",
                                                         "do_kern_addr_fault",
                                                         "handle_page_fault",
                                                         "exc_page_fault",
                                                         "asm_exc_page_fault",
                                                         "page_fault",
                                                         "do_page_fault",
                                                         "__do_page_fault",
                                                         "exc_general_protection",
                                                         "asm_exc_general_protection",
                                                         "exc_invalid_op",
                                                         "asm_exc_invalid_op",
                                                         "handle_bug",
                                                         "do_error_trap",
                                                         "do_trap",
                                                         "die_addr",
                                                         "exc_double_fault",
                                                         "asm_exc_double_fault",
                                                         "die_kernel_fault",
                                                         "__do_kernel_fault",
                                                         "do_bad_area",
                                                         "do_translation_fault",
                                                         "do_mem_abort",
                                                         "do_sp_pc_abort",
                                                         "el1_abort",
                                                         "el1_pc",
                                                         "el1_da",
                                                         "el1_sync",
                                                         "el1_sync_handler",
                                                         "el1_dbg",
                                                         "el1_undef",
                                                         "el1_brk64",
                                                         "el1h_64_sync",
                                                         "el1h_64_sync_handler",
                                                         "do_debug_exception",
                                                         "do_el1_brk64",
                                                         "brk_handler",
                                                         "bug_handler",
                                                         "call_break_hook",
                                                         "do_DataAbort",
                                                         "do_PrefetchAbort",
                                                         "do_undefinstr",
                                                         "__dabt_svc",
                                                         "__und_svc"};

std::string_view bare(const std::string& symbol) {
  return std::string_view(symbol).substr(0, symbol.find('.'));
}

bool is_machinery(const NamedFrame& frame) {
  return frame.symbol && !frame.module && std::ranges::find(kMachinery, bare(*frame.symbol)) != kMachinery.end();
}

bool begins_oops(std::string_view text) {
  return std::ranges::any_of(kOopses, [&](std::string_view start) { return text.starts_with(start); });
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, std::min(text.find('\n'), kMaxMessage)));
}

/// The line of a panic. A PREEMPT_RT kernel (5.10) may store what follows the colon as a record of its own.
std::string panic_line(const KernelLog& log, std::size_t at) {
  std::string line = first_line(log.records[at].text);
  if (line.find_first_not_of(' ', kPanic.size()) == std::string::npos && at + 1 < log.records.size()) {
    line = fmt::format("{} {}", kPanic, first_line(log.records[at + 1].text));
  }
  return line;
}

/// "CPU: 0 UID: 0 PID: 142 Comm: sh Not tainted ..." (lib/dump_stack.c).
struct Culprit {
  unsigned cpu = 0;
  std::uint32_t pid = 0;
  std::string comm;
};

std::optional<unsigned> number_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(at + key.size());
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<Culprit> culprit_in(std::string_view text) {
  const auto cpu = text.starts_with("CPU: ") ? number_after(text, "CPU: ") : std::nullopt;
  const auto pid = number_after(text, " PID: ");
  const std::size_t comm = text.find(" Comm: ");
  // A name may hold blanks; what follows it is known.
  const std::size_t end = std::min(
      {text.find(" Not tainted", comm), text.find(" Tainted: ", comm), text.find(" Kdump: ", comm), text.size()});
  if (!cpu || !pid || comm == std::string_view::npos || end - comm - 7 > 64) {
    return std::nullopt;
  }
  return Culprit{*cpu, *pid, std::string(text.substr(comm + 7, end - comm - 7))};
}

/// The line that names CPU and task, after the message where the kernel puts it, else before it.
std::optional<Culprit> culprit_near(const KernelLog& log, std::size_t at) {
  for (std::size_t i = at; i < std::min(at + kNear, log.records.size()); ++i) {
    if (auto culprit = culprit_in(log.records[i].text)) {
      return culprit;
    }
  }
  for (std::size_t i = at; i > at - std::min(at, kNear); --i) {
    if (auto culprit = culprit_in(log.records[i - 1].text)) {
      return culprit;
    }
  }
  return std::nullopt;
}

/// Fills in where by the vCPU whose trace goes through panic().
void look_in_traces(const Report& report, CrashReport& crash) {
  for (const VcpuReport& vcpu : report.vcpus) {
    const auto panics = [](const NamedFrame& frame) {
      return frame.symbol && !frame.module && (bare(*frame.symbol) == "panic" || bare(*frame.symbol) == "vpanic");
    };
    const auto panic = std::ranges::find_if(vcpu.frames, panics);
    if (panic == vcpu.frames.end()) {
      continue;
    }
    crash.vcpu = vcpu.id;
    const auto blamed = std::find_if_not(panic, vcpu.frames.end(), is_machinery);
    if (blamed != vcpu.frames.end() && blamed->found_by != FoundBy::scan) {
      crash.function = blamed->symbol;
      crash.module = blamed->module;
    }
    if (vcpu.task_comm && vcpu.task_pid) {
      crash.comm = vcpu.task_comm;
      crash.pid = vcpu.task_pid;
    }
    return;
  }
}

}  // namespace

std::optional<CrashReport> find_crash(const KernelLog& log, const Report& report) {
  const auto last = [&](auto tells) -> std::optional<std::size_t> {
    for (std::size_t i = log.records.size(); i > 0; --i) {
      if (log.records[i - 1].facility == 0 && tells(log.records[i - 1].text)) {
        return i - 1;
      }
    }
    return std::nullopt;
  };
  const auto panic = last([](const std::string& text) { return text.starts_with(kPanic); });
  const auto oops = last(begins_oops);
  if (!panic && !oops) {
    return std::nullopt;
  }
  const std::size_t at = panic ? *panic : *oops;
  CrashReport crash;
  crash.kind = panic ? "panic" : "oops";
  crash.message = panic ? panic_line(log, at) : first_line(log.records[at].text);
  if (panic && oops && *oops < *panic && *panic - *oops < kNear) {
    std::size_t first = *oops;  // an oops has several lines that look like its beginning: the first says most
    for (std::size_t i = *oops; i > *oops - std::min(*oops, std::size_t{24}); --i) {
      first = begins_oops(log.records[i - 1].text) ? i - 1 : first;
    }
    crash.cause = first_line(log.records[first].text);
  }
  if (const auto culprit = culprit_near(log, at)) {
    crash.cpu = culprit->cpu;
    crash.pid = culprit->pid;
    crash.comm = culprit->comm;
  } else if (log.records[at].comm) {
    crash.comm = log.records[at].comm;
    crash.pid = log.records[at].tid;
    crash.cpu = log.records[at].cpu;
  }
  if (panic) {
    look_in_traces(report, crash);
  }
  return crash;
}

std::string crash_line(const CrashReport& crash) {
  std::string out = crash.message;
  if (crash.cause) {
    out += fmt::format(" ({})", *crash.cause);
  }
  if (crash.function) {
    out += ", in " + *crash.function;
    if (crash.module) {
      out += fmt::format(" [{}]", *crash.module);
    }
  }
  if (crash.vcpu) {
    out += fmt::format("{} on vCPU {}", crash.function ? "" : ",", *crash.vcpu);
  } else if (crash.cpu) {
    out += fmt::format(", on CPU {}", *crash.cpu);
  }
  if (crash.comm && crash.pid) {
    out += fmt::format(", task {}[{}]", *crash.comm, *crash.pid);
  }
  return out;
}

}  // namespace xstack
