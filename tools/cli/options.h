// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "base/address.h"
#include "base/error.h"
#include "boards/board.h"
#include "guest/dump/open.h"
#include "tools/cli/option_table.h"
#include "tools/session_dump.h"

namespace xstack {

enum class ColorWhen : std::uint8_t { automatic, always, never };

/// How many lines of a stack or memory dump: a count, or as many as there are.
struct LineLimit {
  std::optional<std::uint64_t> count;  ///< absent: all
};

/// A command line that makes sense.
struct Options {
  bool help = false;     ///< nothing else counts
  bool version = false;  ///< nothing else counts
  Command command = Command::trace;
  std::optional<std::string> domain;  ///< exactly one of domain and core is there, but for no_guest
  std::optional<std::string> core;
  std::vector<RawFile> raw_files;  ///< --core with --ram-base: memory alone, in these
  std::optional<unsigned> vcpu;    ///< absent: all
  std::optional<ArchId> arch;
  std::vector<std::string> symbol_files;
  std::vector<std::string> debug_directories{"/usr/lib/debug"};
  bool debuginfod = false;
  bool force = false;
  bool no_guest = false;             ///< neither domain nor core
  std::vector<std::string> queries;  ///< of symbols: addresses and names; none: they are read from standard input
  std::optional<std::uint64_t> kernel_start;
  bool scan = true;
  unsigned max_frames = 256;
  bool all_registers = false;
  bool stack_trace = false;  ///< -S
  std::optional<unsigned> stack_pages;
  unsigned bytes_per_line = 32;
  std::optional<LineLimit> lines;  ///< absent: the subcommand's default
  bool ascii = false;
  bool tag = false;
  std::vector<GuestVirt> memory;         ///< -m
  std::vector<GuestVirt> dump_as_stack;  ///< -d
  std::uint8_t levels = 0xff;            ///< --level: a bit for each
  bool raw = false;
  bool decode = false;
  bool log = true;                  ///< a capture carries the log
  bool tasks = false;               ///< a capture carries the tasks; gdb shows them
  std::string states;               ///< --state
  std::vector<std::uint32_t> pids;  ///< --pid
  std::vector<std::string> comms;   ///< --comm
  bool group = false;
  bool trace = true;  ///< false: --no-trace
  std::optional<std::string> output;
  bool json = false;
  ColorWhen color = ColorWhen::automatic;
  bool verbose = false;
  // dump
  std::optional<PageCompression> compress;  ///< absent: format and name of the file decide
  CoreFormat format = CoreFormat::elf;
  KeepPages keep = KeepPages::all;
  std::uint64_t skip = 0;  ///< --skip: bytes
  NoteNumbers numbers = NoteNumbers::vcpu;
  bool live = false;
  // gdb
  std::optional<std::uint16_t> port = 0;  ///< absent: standard input and output
  std::string listen = "127.0.0.1";
  std::optional<std::string> board;      ///< --board
  std::shared_ptr<const Board> profile;  ///< what --board names; run() looks it up
  // boards
  std::vector<std::string> board_words;  ///< what stands after `boards`
  std::optional<std::string> xen;        ///< the files that boot
  std::optional<std::string> dom0;
  std::optional<std::string> initrd;
  std::optional<std::string> dtb;
  std::optional<std::uint64_t> ram;       ///< bytes
  std::optional<std::uint64_t> dom0_mem;  ///< bytes
  std::string bootargs;                   ///< of dom0
  std::string xen_bootargs;
  // check-config
  std::uint8_t roles = 0;  ///< a bit for each ConfigRole; none: the default
  bool fix = false;
  // log
  std::vector<std::string> files;  ///< empty: standard input
  bool only = false;
  bool summary = false;
  bool follow = false;
  bool until_crash = false;
  std::optional<std::string> junit;
  std::vector<std::string> known;
  std::optional<std::uint32_t> fail_on;  ///< a bit for each logs::Kind; absent: the kinds that are crashes
};

/// Reads the arguments (without the program's name). Options and words may come in any order. The first word is the
/// subcommand when it is the name of one. Errors: usage.
[[nodiscard]] Result<Options> parse_command_line(std::span<const std::string> arguments);

}  // namespace xstack
