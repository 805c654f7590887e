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

  /// Fills a part of `out`; 0 at the end. Errors: io; truncated and bad_format of compressed data.
  [[nodiscard]] virtual Result<std::size_t> read(std::span<char> out) = 0;

  /// Where in a file the bytes lie as they are.
  struct Place {
    int fd = -1;
    std::uint64_t offset = 0;
  };
  /// Of what read() gives next; nothing when it does not come from a regular file as it is.
  [[nodiscard]] virtual std::optional<Place> place() const { return std::nullopt; }
};

/// "-" is standard input. Memory is bounded: windows of zstd up to 128 MiB, dictionaries of xz up to 256 MiB.
/// Errors: io.
[[nodiscard]] Result<std::unique_ptr<LogSource>> open_log(const std::string& path);

/// A file that grows: at its end read() waits up to `wait_ms` and then returns 0, more may come. A file that became
/// shorter is read from its start again, as one that was rotated. Errors: io; usage for standard input.
[[nodiscard]] Result<std::unique_ptr<LogSource>> follow_log(const std::string& path, unsigned wait_ms);

}  // namespace xstack::logs
