// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "arch/frame.h"
#include "arch/standstill.h"
#include "guest/guest.h"

namespace xstack {

/// A frame with names. Strings are the guest's, unescaped: printers escape.
struct NamedFrame {
  GuestVirt pc;
  std::optional<GuestVirt> sp;
  FoundBy found_by = FoundBy::registers;
  std::optional<std::string> symbol;
  std::uint64_t offset = 0;           ///< pc minus the symbol's start (the printed address, not the looked-up one)
  std::optional<std::uint64_t> size;  ///< of the symbol
  std::optional<std::string> module;
  std::optional<std::string> file;
  std::optional<unsigned> line;
  std::optional<std::string> stack;  ///< "irq", ... when not the task's
};

/// A word of a dump that is an address in kernel or module code, with its name (ReportRequest::name_words). Such a word
/// need not be a return address that is still in use: it is a hint for a reader, never a frame.
struct WordName {
  std::size_t index = 0;  ///< which word of the dump, counted in words of the guest
  std::string symbol;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> size;  ///< of the symbol
  std::optional<std::string> module;
};

/// Words of stack, and why they end.
struct StackDump {
  GuestVirt from;  ///< address of the first word
  unsigned word_size = 8;
  std::vector<std::uint64_t> words;
  std::vector<WordName> names;       ///< ascending index; empty unless asked for
  std::optional<std::string> ended;  ///< why it stops before what was asked for
  bool at_its_end = false;           ///< SP is where the stack begins: there is nothing on it, and nothing is missing
};

/// A block of memory as asked for by -m, -d or the code bytes round the pc.
struct MemoryDump {
  GuestVirt from;
  std::vector<std::byte> bytes;
  std::vector<WordName> names;  ///< ascending index; empty unless asked for
  std::optional<std::string> ended;
};

/// What a vCPU, or the guest as a whole, is doing when that can be told: one sentence, and what it rests on. Nothing
/// here is a guess.
struct Doing {
  std::string what;                   ///< "waiting in WFI with interrupts masked", "in user mode", ...
  std::optional<std::string> detail;  ///< a message, the function; may hold the guest's text: escape it
  std::string how;                    ///< "the instruction before pc is a WFI; CPSR.I is set"; escape it
};

/// A kernel whose names and addresses were fitted to where its image lies in guest memory, since no page tables show it
/// at the addresses that it was linked for.
struct ImageReport {
  std::string kind;               ///< "zImage", "Image", "kernel", "file"
  GuestPhys begin;                ///< of the image or its code
  std::optional<GuestVirt> link;  ///< what it was linked to have there; nothing for a compressed image
  std::string how;                ///< how that is known
  /// Why a kernel cannot run from there, when that can be told.
  std::optional<std::string> misplaced = {};
};

/// What the hypervisor's own log says about this domain. Lines are the hypervisor's, but quote the guest: escape them.
struct HypervisorReport {
  std::vector<std::string> lines;  ///< the last ones, oldest first
  std::uint64_t older = 0;         ///< how many more there were
  std::string source;              ///< where they come from, and what is known of whose they are
};

struct VcpuReport {
  unsigned id = 0;
  VcpuPresence presence = VcpuPresence::online;
  std::optional<std::string> absent_why;  ///< for a vCPU without registers: one line
  std::optional<CpuState> cpu;            ///< registers; absent when there are none
  std::optional<std::uint32_t> task_pid;
  std::optional<std::string> task_comm;
  std::vector<NamedFrame> frames;  ///< empty when no trace was asked for
  std::optional<TraceEnd> end;
  std::optional<StackDump> stack;
  std::vector<std::string> warnings;
  std::optional<Standstill> standstill;     ///< by its instructions; looked for when its frames do not tell already
  std::optional<std::string> not_started;   ///< it has not run yet, and by what that is known
  std::optional<std::string> decompressor;  ///< it runs the code in front of a compressed kernel, and how that is known
  std::optional<Doing> doing;
};

/// A crash of the guest's kernel as its log tells it. Strings are the guest's.
struct CrashReport {
  std::string kind;                     ///< "panic" or "oops"
  std::string message;                  ///< the kernel's line
  std::optional<std::string> cause;     ///< for a panic that an oops led to: how that began
  std::optional<std::string> function;  ///< that called panic(), or faulted
  std::optional<std::string> module;
  std::optional<unsigned> vcpu;  ///< whose trace goes through panic()
  std::optional<unsigned> cpu;   ///< the kernel's own number, by its log
  std::optional<std::uint32_t> pid;
  std::optional<std::string> comm;
};

/// What the kernel's variables and its log say of the system: for `xstack info`.
struct SystemReport {
  std::optional<std::string> paging;  ///< how the first vCPU with registers translates
  std::optional<std::string> command_line;
  std::string command_line_by;
  std::optional<std::uint64_t> uptime_ns;  ///< when the log's last record was written: it was up at least so long
  std::optional<std::uint64_t> memory_kib;
  std::optional<std::vector<std::string>> taint;  ///< "W (warning)", ...; empty: not tainted
  std::string taint_by;
  std::optional<std::uint64_t> tasks;
  std::optional<std::uint64_t> cpus;         ///< present by the kernel's masks, or else brought up by its threads
  std::optional<std::uint64_t> cpus_online;  ///< those that panic() has stopped are not
  std::string cpus_by;
  std::vector<std::string> unknown;  ///< what could not be known, and why
};

struct GuestReport {
  GuestIdentity identity;
  ArchId arch{};
  std::string arch_why;
  std::optional<std::string> os;  ///< "Linux 6.1.0-50-armmp-lpae"
  std::optional<std::string> banner;
  std::optional<std::string> build_id;
  std::optional<std::uint64_t> kaslr_offset;
  std::optional<GuestVirt> kernel_start;
  std::vector<std::string> symbols;
  std::vector<std::string> lines;  ///< the files that source lines came from
  std::optional<std::uint64_t> module_count;
  std::optional<CrashReport> crash;
  std::optional<SystemReport> system;  ///< when it was asked for
  std::optional<Doing> doing;
  std::optional<ImageReport> image;
  std::optional<HypervisorReport> hypervisor;
  std::optional<std::string> no_hypervisor_log;  ///< why there is none
};

/// How the guest was disturbed: for --verbose and JSON.
struct CaptureReport {
  std::optional<std::uint64_t> pause_us;  ///< absent: it was not paused by us
  std::optional<std::uint64_t> pages;     ///< mapped in all, where mapping is what happens
  std::uint64_t walk_pages = 0;           ///< read to walk the stacks of all vCPUs: stacks, page tables, unwind tables
};

/// Everything a command found, ready for any printer. Passive data.
struct Report {
  GuestReport guest;
  std::vector<VcpuReport> vcpus;
  std::vector<MemoryDump> memory;
  CaptureReport capture;
  std::vector<std::string> warnings;
  bool partial = false;  ///< exit status 1: something that was asked for is missing; warnings say what
};

}  // namespace xstack
