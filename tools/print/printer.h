// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tools/report.h"

namespace xstack {

/// How words of stack and memory are laid out: xenctx's -b, -l, -n, -D, -t.
struct DumpFormat {
  unsigned bytes_per_line = 32;         ///< rounded down to whole words, at least one word
  std::optional<std::uint64_t> lines;   ///< at most; absent: all there are
  std::optional<unsigned> stack_pages;  ///< stack up to the end of the Nth page; absent: all there is
  bool ascii = false;
  bool tag = false;
  bool word_by_word = false;  ///< -S: one word a line, with names
};

/// What of a report is shown, and how.
struct View {
  bool registers = true;
  bool all_registers = false;  ///< control, debug and system ones, and banks in full
  bool stack = true;
  bool trace = true;
  bool info = false;  ///< everything known of the guest, a line each
  DumpFormat stack_format;
  DumpFormat memory_format;
  std::size_t plain_memory = 0;  ///< so many of Report::memory are -m, the rest -d
  bool verbose = false;
  bool color = false;
};

/// Turns a report into text that is ready to be written. All strings that a guest or a file may have chosen are escaped
/// (base/text.h): what comes out holds no control character but line ends and, with View::color, colours.
class Printer {
 public:
  Printer() = default;
  Printer(const Printer&) = delete;
  Printer& operator=(const Printer&) = delete;
  virtual ~Printer() = default;

  [[nodiscard]] virtual std::string print(const Report& report) const = 0;
};

/// For people.
[[nodiscard]] std::unique_ptr<Printer> make_text_printer(const View& view);

/// JSON, version 1: tools/schema/xstack-report-1.json. Prints all that the report holds.
[[nodiscard]] std::unique_ptr<Printer> make_json_printer();

}  // namespace xstack
