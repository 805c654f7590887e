// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "logs/kind.h"

namespace xstack::logs {

/// Who wrote a line.
struct Origin {
  enum class Who : std::uint8_t {
    console,  ///< no prefix: the machine's own kernel, or the hardware domain when Xen is below it
    xen,
    domain,  ///< a guest whose text Xen prints with its number
  };
  Who who = Who::console;
  unsigned domain = 0;  ///< for `domain`
  friend bool operator==(const Origin&, const Origin&) = default;
};

/// A frame of a call trace as the log has it, with what symbols added. Text is the log's: escape it to show it.
struct Frame {
  std::optional<std::uint64_t> address;  ///< as printed: a return address, or the exact one when `exact`
  std::string symbol;                    ///< empty when neither the log nor the symbols have a name
  std::optional<std::uint64_t> offset;   ///< absent in the first half of arm32's "a from b+0x1/0x2"
  std::optional<std::uint64_t> size;
  std::string module;
  std::string module_build_id;  ///< hexadecimal, when the log says it
  bool exact = false;           ///< a program counter, not a return address
  bool guess = false;           ///< marked "?" by the kernel, or found by looking at the words of the stack
  bool from_symbols = false;    ///< the name comes from a symbol file, not from the log
  bool inlined = false;
  /// Of a trace that was made from registers and rows of a stack: as in xstack's other traces. Lasts for ever.
  std::string_view found_by;
  std::string file;  ///< empty when not known
  unsigned line = 0;
};

/// One crash, warning, dump, ... of a log.
struct Report {
  Kind kind = Kind::trace;
  std::string title;  ///< one line
  Origin origin;
  std::optional<unsigned> domain;  ///< the domain that it is about
  std::optional<unsigned> vcpu;
  std::optional<unsigned> cpu;
  std::optional<unsigned> pid;
  std::string comm;
  std::string release;           ///< "6.1.0-50-arm64", "Xen-4.17.5"
  std::string guest_release;     ///< of the kernel of a domain that Xen writes about, when it said so earlier
  std::string build_id;          ///< of the kernel, hexadecimal, when the log says it
  std::string time;              ///< of the first line, as printed
  std::string arch;              ///< "arm32", "arm64", "x86_32", "x86_64" as far as the text shows
  std::string mode;              ///< of a register dump: "pv guest", "64-bit EL1h (Guest Kernel, handler)"
  std::uint64_t first_line = 0;  ///< counted from 1
  std::uint64_t last_line = 0;
  std::vector<std::pair<std::string, std::uint64_t>> registers;  ///< lower-case names, in the order printed
  std::vector<Frame> frames;                                     ///< innermost first
  std::vector<std::string> modules;
  std::optional<std::uint64_t> stack_pointer;  ///< of the first of `stack`
  std::vector<std::uint64_t> stack;            ///< words as printed
  unsigned stack_word = 0;                     ///< bytes of each
  std::optional<std::uint64_t> kaslr_offset;
  std::string trace_end;  ///< why a trace that was made from registers and rows ends: "user-mode", ...
  std::string panic;      ///< the reason of a panic that the report ended in, when it began as something else
  std::string stage;      ///< how far the boot had come
  std::string signature;
  bool known = false;      ///< listed as expected
  bool truncated = false;  ///< a limit cut it: a line beyond all measure, or too many lines
};

}  // namespace xstack::logs
