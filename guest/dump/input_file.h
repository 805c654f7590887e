// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace xstack {

/// The bytes of a dump, whatever it was packed in. A plain file is mapped; a compressed one (.zst, .xz, .gz, told by
/// content) is unpacked into an unnamed temporary file, and so is what comes through a pipe or in makedumpfile's
/// flattened format, and that is mapped: memory stays small. A file that somebody cuts short while it is read ends the
/// program (SIGBUS), as with any mapped file.
class InputFile {
 public:
  /// Errors: io, truncated (an empty file), too_large (more than 64 GiB unpacked), unsupported.
  [[nodiscard]] static Result<std::shared_ptr<const InputFile>> open(const std::string& path);

  /// For tests and fuzzers: bytes that lie in memory.
  explicit InputFile(std::vector<std::byte> bytes);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  /// What went wrong while unpacking and still left something to read.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  InputFile(std::span<const std::byte> mapped, std::vector<std::string> warnings);

  std::vector<std::byte> owned_;
  std::span<const std::byte> bytes_;
  std::vector<std::string> warnings_;
};

}  // namespace xstack
