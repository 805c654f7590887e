// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/option_table.h"

#include <algorithm>
#include <array>

namespace xstack {
namespace {

constexpr std::array kCommands = {
    CommandInfo{Command::trace, "trace", "registers, a short stack and the call trace of every vCPU (the default)"},
    CommandInfo{Command::regs, "regs", "registers only; guest memory is not read"},
    CommandInfo{Command::stack, "stack", "the words of the stack from the stack pointer up"},
    CommandInfo{Command::tasks, "tasks", "every task of the guest with its state and its call trace"},
    CommandInfo{Command::info, "info", "what the guest is and what was found out about its kernel"},
    CommandInfo{Command::dmesg, "dmesg", "the kernel's log, from its memory, as dmesg prints it"},
    CommandInfo{Command::modules, "modules", "the kernel's modules: addresses, sizes, symbols, unwind tables"},
    CommandInfo{Command::symbols, "symbols",
                "names, files, lines and inlined calls for addresses, or addresses for names"},
    CommandInfo{Command::capture, "capture", "write a small file that replays to the same trace anywhere"},
    CommandInfo{Command::dump, "dump",
                "write the guest's memory as an ELF core, or kdump, for gdb, drgn, crash and xstack"},
    CommandInfo{Command::gdb, "gdb", "let gdb look at the guest, read-only, over its remote protocol"},
    CommandInfo{Command::log, "log", "find crashes in console logs, with names, and say what they are"},
    CommandInfo{Command::check_config, "check-config",
                "is this kernel configuration fit for dom0, for a domU, and to be traced?"},
    CommandInfo{Command::boards, "boards", "what is known of a board: its memory, console, boot loader, defaults"},
};

template <class... C>
constexpr std::uint32_t in(C... commands) {
  return ((1U << static_cast<unsigned>(commands)) | ...);
}

constexpr std::uint32_t kReports = in(Command::trace, Command::regs, Command::stack, Command::info);
constexpr std::uint32_t kTasks = in(Command::tasks);
constexpr std::uint32_t kTexts =
    kReports | kTasks | in(Command::dmesg, Command::modules, Command::symbols);  // what can be JSON as well
constexpr std::uint32_t kEvery = kTexts | in(Command::capture, Command::dump, Command::gdb);
constexpr std::uint32_t kVcpus = kReports | in(Command::dmesg, Command::modules, Command::capture);
constexpr std::uint32_t kKernel = kEvery & ~in(Command::regs);
constexpr std::uint32_t kLines = in(Command::trace, Command::tasks, Command::symbols);
constexpr std::uint32_t kCrashes = in(Command::log);
constexpr std::uint32_t kConfigs = in(Command::check_config);
constexpr std::uint32_t kBoards = in(Command::boards);
constexpr std::uint32_t kAll = kEvery | kCrashes | kConfigs | kBoards;
constexpr std::uint32_t kWalks = in(Command::trace, Command::tasks, Command::capture);
constexpr std::uint32_t kWords = in(Command::trace, Command::stack);

constexpr const char* kInput = "Which guest";
constexpr const char* kNames = "Names and traces";
constexpr const char* kShown = "What is shown";
constexpr const char* kWhichTasks = "Which tasks";
constexpr const char* kDumps = "Stack and memory";
constexpr const char* kLog = "Kernel log";
constexpr const char* kLogs = "Console logs";
constexpr const char* kConfig = "Kernel configurations";
constexpr const char* kBoarding = "Booting a board";
constexpr const char* kOutput = "Output";

constexpr std::array kOptions = {
    OptionInfo{0, "core", "FILE", kInput, "read a dump or a capture instead of a live domain", kEvery | kConfigs},
    OptionInfo{
        0, "ram-base", "BASE", kInput,
        "the --core file is memory alone, from physical address BASE on; --raw BASE is the same; may be given once "
        "for each of several --core files",
        kEvery | kConfigs},
    OptionInfo{'C', "all-vcpus", nullptr, kInput, "every vCPU: what happens anyway when no VCPU is given", kVcpus},
    OptionInfo{0, "arch", "NAME", kInput, "the guest is arm32, arm64, x86_32 or x86_64, whatever it looks like",
               kEvery | kConfigs},
    OptionInfo{0, "no-guest", nullptr, kInput, "symbols: no guest at all, the addresses are those of the -s FILE",
               in(Command::symbols)},
    OptionInfo{'s', "symbol-table", "FILE", kNames,
               "names from System.map, a copy of /proc/kallsyms or an ELF image, and source lines when it has DWARF; "
               "may be repeated; log: also xen=FILE, dom0=FILE, d3=FILE",
               kKernel | kCrashes},
    OptionInfo{0, "debug-dir", "DIR", kNames,
               "source lines from debug files below DIR, by build-id (/usr/lib/debug), or `none`; may be repeated",
               kLines | kCrashes},
    OptionInfo{0, "debuginfod", nullptr, kNames,
               "ask the servers in DEBUGINFOD_URLS for the kernel's debug file when there is none here", kLines},
    OptionInfo{0, "force", nullptr, kNames, "use files whose build-id is not the guest's", kKernel},
    OptionInfo{'k', "kernel-start", "ADDR", kNames, "kernel addresses begin here (found in the guest otherwise)",
               kKernel},
    OptionInfo{0, "board", "NAME", kNames,
               "defaults of this board, or of that in a file: see boards; what the guest's memory shows wins",
               kKernel | kConfigs},
    OptionInfo{'f', "frame-pointers", nullptr, kNames, "accepted for xenctx's sake: traces are always unwound", kWords},
    OptionInfo{0, "no-scan", nullptr, kNames, "never guess: leave out frames that only a search of the stack finds",
               kWalks},
    OptionInfo{0, "max-frames", "N", kNames, "end each trace after N frames (256)", kWalks},
    OptionInfo{'a', "all", nullptr, kShown, "all registers: control, debug and system ones, every bank in full",
               in(Command::trace, Command::regs)},
    OptionInfo{'S', "stack-trace", nullptr, kShown, "the whole stack, one word a line, with the names of code", kWords},
    OptionInfo{0, "state", "LETTERS", kWhichTasks, "only tasks in these states, as ps shows them (D, DR, ...)", kTasks},
    OptionInfo{0, "pid", "N", kWhichTasks, "only this thread, or all of this process; may be given more than once",
               kTasks},
    OptionInfo{0, "comm", "NAME", kWhichTasks, "only tasks of this name, a shell pattern; may be given more than once",
               kTasks},
    OptionInfo{0, "group", nullptr, kWhichTasks, "tasks with equal stacks are one entry", kTasks},
    OptionInfo{0, "no-trace", nullptr, kWhichTasks, "a line for each task, without its trace", kTasks},
    OptionInfo{0, "tasks", nullptr, kWhichTasks,
               "capture: hold every task with its stack, for xstack tasks; gdb: a thread for each task",
               in(Command::capture, Command::gdb)},
    OptionInfo{'n', "display-stack-pages", "N", kDumps, "show stack up to the end of the Nth page from the pointer",
               kWords},
    OptionInfo{'b', "bytes-per-line", "N", kDumps, "bytes a line, 4 to 128, rounded down to whole words (32)", kWords},
    OptionInfo{'l', "lines", "N", kDumps, "lines of stack or memory, or `all` or `max` (trace 4, memory 5, stack all)",
               kWords},
    OptionInfo{'D', "decode-as-ascii", nullptr, kDumps, "add the bytes as ASCII to each line", kWords},
    OptionInfo{'t', "tag-stack-dump", nullptr, kDumps, "begin each line with its address", kWords},
    OptionInfo{'m', "memory", "ADDR", kDumps, "show guest memory at this virtual address", kWords},
    OptionInfo{'d', "dump-as-stack", "ADDR", kDumps, "show guest memory there as a stack, code addresses named",
               kWords},
    OptionInfo{0, "level", "LIST", kLog,
               "only these levels, as dmesg takes them: `err,warn`, or `err+` for err and what is graver",
               in(Command::dmesg)},
    OptionInfo{'r', "raw", nullptr, kLog, "begin each line with its priority, as in <6>", in(Command::dmesg)},
    OptionInfo{'x', "decode", nullptr, kLog, "begin each line with the names of its facility and level",
               in(Command::dmesg)},
    OptionInfo{0, "no-dmesg", nullptr, kLog, "leave the kernel's log out of the capture", in(Command::capture)},
    OptionInfo{0, "only", nullptr, kLogs, "print the reports alone, not the log around them", kCrashes},
    OptionInfo{0, "summary", nullptr, kLogs, "print one line for each different report with its count", kCrashes},
    OptionInfo{0, "junit", "FILE", kLogs, "write JUnit XML for a CI system", kCrashes},
    OptionInfo{0, "known", "FILE", kLogs, "signatures that are expected, one a line", kCrashes},
    OptionInfo{0, "fail-on", "KIND", kLogs, "kinds of reports that count as a crash, with commas between, or `all`",
               kCrashes},
    OptionInfo{0, "follow", nullptr, kLogs, "go on reading as the file grows", kCrashes},
    OptionInfo{0, "until-crash", nullptr, kLogs, "read no further than the first crash that is not a known one",
               kCrashes},
    OptionInfo{0, "role", "LIST", kConfig,
               "what the kernel is to be: dom0, domu, trace, with commas between (all; of a guest, not dom0)",
               kConfigs},
    OptionInfo{0, "fix", nullptr, kConfig, "print a fragment for merge_config.sh that brings what is missing",
               kConfigs},
    OptionInfo{0, "xen", "FILE", kBoarding, "boards boot: Xen; a file here, or its name on the boot medium", kBoards},
    OptionInfo{0, "dom0", "FILE", kBoarding, "boards boot: dom0's kernel", kBoards},
    OptionInfo{0, "initrd", "FILE", kBoarding, "boards boot: dom0's initrd", kBoards},
    OptionInfo{0, "dtb", "FILE", kBoarding,
               "boards boot: the device tree; a file here is held against the board and the addresses", kBoards},
    OptionInfo{0, "ram", "SIZE", kBoarding, "boards boot: RAM of the board (the smallest it is sold with)", kBoards},
    OptionInfo{0, "dom0-mem", "SIZE", kBoarding, "boards boot: memory of dom0 (512M, at most half of RAM)", kBoards},
    OptionInfo{0, "bootargs", "TEXT", kBoarding, "boards boot: more for dom0's command line", kBoards},
    OptionInfo{0, "xen-bootargs", "TEXT", kBoarding, "boards boot: more for Xen's command line", kBoards},
    OptionInfo{'o', "output", "FILE", kOutput, "the file that is written; dump: - is standard output",
               in(Command::capture, Command::dump)},
    OptionInfo{0, "format", "FORMAT", kOutput,
               "dump: elf, an ELF core (the default), kdump, as makedumpfile has it, or xl, as xl dump-core",
               in(Command::dump)},
    OptionInfo{0, "compress", "HOW", kOutput,
               "dump: zstd, as a name that ends in .zst also asks for, or none; of kdump also zlib (the default)",
               in(Command::dump)},
    OptionInfo{0, "skip", "BYTES", kOutput,
               "dump -o -: not the first BYTES, which came through when an earlier run broke off", in(Command::dump)},
    OptionInfo{0, "note-pids", "WHAT", kOutput,
               "dump: numbers of vCPUs in its notes: vcpu, from 1 on (the default), or task, for drgn before 0.0.27",
               in(Command::dump)},
    OptionInfo{0, "kernel-only", nullptr, kOutput, "dump: leave out free pages and those of processes and files",
               in(Command::dump)},
    OptionInfo{0, "redact", nullptr, kOutput,
               "dump: leave out all that is not known to be the kernel's own, for others to read", in(Command::dump)},
    OptionInfo{0, "live", nullptr, kOutput,
               "dump, gdb: let the guest run meanwhile; its memory is of no one moment then",
               in(Command::dump, Command::gdb)},
    OptionInfo{0, "port", "N", kOutput, "gdb: the port of 127.0.0.1 to wait on (0, any), or - for standard input",
               in(Command::gdb)},
    OptionInfo{0, "listen", "ADDR", kOutput, "gdb: wait on this address, where others can connect, not on 127.0.0.1",
               in(Command::gdb)},
    OptionInfo{0, "json", nullptr, kOutput, "JSON, version 1 (see the man page), instead of text",
               kTexts | kCrashes | kConfigs | kBoards},
    OptionInfo{0, "color", "WHEN", kOutput, "auto, always or never (auto: on a terminal, unless NO_COLOR is set)",
               kReports | kTasks},
    OptionInfo{'v', "verbose", nullptr, kOutput, "also say how things were found and how the guest was disturbed",
               kAll},
    OptionInfo{'h', "help", nullptr, kOutput, "this text", kAll},
    OptionInfo{0, "version", nullptr, kOutput, "the version and what is built in", kAll},
};

}  // namespace

std::span<const CommandInfo> command_table() {
  return kCommands;
}

std::optional<Command> find_command(std::string_view name) {
  const auto* it = std::ranges::find(kCommands, name, [](const CommandInfo& c) { return std::string_view(c.name); });
  return it == kCommands.end() ? std::nullopt : std::optional(it->command);
}

const char* to_string(Command command) {
  return kCommands.at(static_cast<std::size_t>(command)).name;
}

std::span<const OptionInfo> option_table() {
  return kOptions;
}

std::string display_name(const OptionInfo& option) {
  const std::string long_name = std::string("--") + option.long_name;
  return option.short_name == 0 ? long_name : std::string("-") + option.short_name + ", " + long_name;
}

}  // namespace xstack
