// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"

namespace xstack::logs {

/// The bytes of a log, as they come: a file, standard input, or what either holds compressed (zstd, xz, gzip).
class LogSource {
 public:
  LogSource() = default;
  LogSource(const LogSource&) = delete;
  LogSource& operator=(const LogSource&) = delete;
  virtual ~LogSource() = default;

  /// Fills a part of `out`; 0 at the end; nothing when nothing came for a while, or a signal came instead, and more may
  /// follow. Errors: io; truncated and bad_format of compressed data.
  [[nodiscard]] virtual Result<std::optional<std::size_t>> read(std::span<char> out) = 0;

  /// Is somebody still writing it, as far as one can tell?
  [[nodiscard]] virtual bool is_live() const { return false; }

  /// Do not wait any more: from now on read() says at once that nothing came.
  virtual void hurry() {}

  /// Where in a file the bytes lie as they are.
  struct Place {
    int fd = -1;
    std::uint64_t offset = 0;
  };
  /// Of what read() gives next; nothing when it does not come from a regular file as it is.
  [[nodiscard]] virtual std::optional<Place> place() const { return std::nullopt; }
};

/// "-" is standard input. A pipe, a terminal and the like are live: read() waits for them up to `wait_ms`; not for what
/// comes compressed. Memory is bounded: windows of zstd up to 128 MiB, dictionaries of xz up to 256 MiB. Errors: io.
[[nodiscard]] Result<std::unique_ptr<LogSource>> open_log(const std::string& path, unsigned wait_ms);

/// A file that grows: at its end read() waits up to `wait_ms`. A file that became shorter is read from its start again,
/// and so is another one that has taken its name, after the rest of the old one: both are ways in which logs are
/// rotated. Errors: io; usage for standard input.
[[nodiscard]] Result<std::unique_ptr<LogSource>> follow_log(const std::string& path, unsigned wait_ms);

}  // namespace xstack::logs
