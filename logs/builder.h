// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "logs/prefix.h"
#include "logs/report.h"
#include "logs/starts.h"
#include "logs/tokens.h"

namespace xstack::logs {

/// Something in a line that symbols may have more to say of.
struct Spot {
  enum class What : std::uint8_t { frame, register_value, word };
  std::uint64_t line = 0;
  What what = What::frame;
  Frame frame;  ///< name, offset and size, or an address
};

/// A report that grows line by line. Bounded: what is beyond the limits is counted as taken and not kept.
class Builder {
 public:
  enum class Took : std::uint8_t {
    no,       ///< not a line of this report
    neutral,  ///< says nothing: an empty line
    yes,
    last,  ///< and nothing can follow
  };

  Builder(const Start& start, const Line& line, std::uint64_t number, std::uint64_t first_number);

  /// Is this start the same event, told further? "BUG: unable to handle ..." goes on as "Oops: ...", an oops may end
  /// in "Kernel panic". If so, it is taken.
  [[nodiscard]] bool absorb(const Start& start, const Line& line, std::uint64_t number);

  [[nodiscard]] Took feed(const Line& line, std::uint64_t number);

  /// Were there so many lines of the same writer that were not this report's since the last that was, that it is over?
  [[nodiscard]] bool is_over() const { return misses_ > kLine * patience(); }

  /// The last touches: the innermost frame from the registers, the architecture, the signature. Nothing when all that
  /// there was is a header without registers or frames. Call once.
  [[nodiscard]] bool finish();

  [[nodiscard]] const Origin& origin() const { return report_.origin; }
  [[nodiscard]] const std::string& caller() const { return caller_; }
  [[nodiscard]] Report& report() { return report_; }
  [[nodiscard]] std::vector<Spot>& spots() { return spots_; }

 private:
  static constexpr unsigned kLine = 4;  ///< what a line of the same writer counts; of programs it is 1
  [[nodiscard]] unsigned patience() const;
  void note(const Line& line, std::uint64_t number);
  [[nodiscard]] bool absorb_linux(const Start& start, const Line& line, std::uint64_t number);
  [[nodiscard]] bool is_said_again(const Start& start, std::uint64_t number);
  [[nodiscard]] Took take_lead_in(char first);
  [[nodiscard]] Took take_linux(std::string_view text, std::uint64_t number);
  // Linux's lines by what they begin with; nothing: it is another that begins so.
  using Taken = std::optional<Took>;
  [[nodiscard]] Taken take_known(std::string_view body, std::uint64_t number);
  [[nodiscard]] Taken take_place(std::string_view body, std::uint64_t number);
  [[nodiscard]] Taken take_counter(std::string_view body, std::uint64_t number);
  [[nodiscard]] Taken take_module_list(std::string_view body, std::uint64_t number);
  [[nodiscard]] Taken take_cpu(std::string_view body, std::uint64_t number);
  [[nodiscard]] Taken take_process(std::string_view body, std::uint64_t number);
  [[nodiscard]] Taken take_kaslr(std::string_view body, std::uint64_t number);
  [[nodiscard]] Taken take_end(std::string_view body, std::uint64_t number);
  [[nodiscard]] Taken take_stack_header(std::string_view body, std::uint64_t number);
  [[nodiscard]] Taken take_stall(std::string_view body);
  [[nodiscard]] Took take_xen(std::string_view text, std::uint64_t number);
  [[nodiscard]] bool take_frames(std::string_view text, std::uint64_t number);
  [[nodiscard]] bool take_stack_row(std::string_view text, std::uint64_t number);
  [[nodiscard]] bool take_registers(std::string_view text, std::uint64_t number);
  void take_cpu_line(std::string_view text);
  void take_modules(std::string_view text);
  void take_location(std::string_view text, std::uint64_t number);
  void take_task_line(std::string_view text);
  void take_release(std::string_view text);
  void begin_trace();
  void end_headless_trace();
  void add_spot(std::uint64_t number, Spot::What what, Frame frame);
  void settle_arch();
  void take_context(std::string_view text);

  Report report_;
  std::vector<Spot> spots_;
  // What a line held: here so that no line needs memory of its own.
  std::vector<Frame> found_frames_;
  std::vector<std::uint64_t> found_words_;
  Registers found_registers_;
  std::string caller_;
  bool led_ = false;          ///< "cut here" came before it
  bool kernel_time_ = false;  ///< its first line has printk's time: what has none is of programs
  unsigned misses_ = 0;
  bool died_ = false;      ///< "Oops:" or "Internal error:" was seen
  bool in_trace_ = false;  ///< behind a header of a call trace
  bool headless_ = false;  ///< of a trace without a header
  bool frames_done_ =
      false;  ///< the trace that counts is complete: what follows is another CPU's, or a stack of KASAN's
  bool registers_done_ = false;
  bool ending_ = false;       ///< "---[ end trace" was seen
  bool in_stack_ = false;     ///< rows of a stack are expected
  bool skip_trace_ = false;   ///< RCU's own thread, or where it ran last: not the CPU that stalls
  bool panic_title_ = false;  ///< Xen: the next line is the reason
  bool code_row_ = false;     ///< Xen: the next row is code
  std::optional<Frame> pc_;   ///< from "pc :", "PC is at", "RIP:"
};

}  // namespace xstack::logs
