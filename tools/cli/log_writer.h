// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "logs/source.h"
#include "tools/cli/output.h"

namespace xstack {

/// Gathers what `xstack log` writes, so that the output is asked seldom: short texts are copied, longer ones stay where
/// they lie, and long ones that a file has as they are go from there into a pipe.
class LogWriter {
 public:
  explicit LogWriter(Output& out) : out_(out) {}

  /// The bytes up to `end` are what a file has before this place; nothing: no file has the text that comes.
  void lies_before(const char* end, std::optional<logs::LogSource::Place> place) {
    end_ = end;
    place_ = place;
  }

  /// A text that need not outlive the call.
  void add(std::string_view text);

  /// A text of the log as it is, which stays where it lies until flush() was called.
  void add_lasting(std::string_view text);

  /// Writes what there is.
  void flush();

  /// What went wrong with the first that could not be written; nothing is written after it. Errors: io.
  [[nodiscard]] const Result<void>& result() const { return written_; }

 private:
  /// A part of what is to be written: text that lies elsewhere, or a part of batch_.
  struct Piece {
    std::string_view text;
    std::size_t begin = 0;
    std::size_t length = 0;
  };

  void close_piece();
  void write_views();
  [[nodiscard]] std::size_t send(std::string_view text);

  Output& out_;
  std::string batch_;
  std::size_t in_pieces_ = 0;  ///< how much of batch_ is
  std::vector<Piece> pieces_;
  std::vector<std::string_view> views_;
  const char* end_ = nullptr;
  std::optional<logs::LogSource::Place> place_;
  Result<void> written_;
};

}  // namespace xstack
