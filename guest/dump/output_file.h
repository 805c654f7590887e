// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "guest/dump/unique_fd.h"

namespace xstack {

/// A file that comes into being as a whole or not at all: written under a temporary name beside its place (created
/// exclusively, mode 0600), then renamed. Compressed with zstd when its name ends in .zst.
class OutputFile {
 public:
  /// Errors: usage (`path` is there and no plain file), io.
  [[nodiscard]] static Result<OutputFile> create(const std::string& path);
  OutputFile(OutputFile&&) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  /// Removes the temporary file unless commit() was called.
  ~OutputFile();

  [[nodiscard]] Result<void> append(std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> commit();

 private:
  struct Compressor;
  OutputFile();
  [[nodiscard]] Result<void> write_all(std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> compress(std::span<const std::byte> bytes, bool last);

  UniqueFd fd_;
  std::string path_;
  std::string temporary_;
  std::unique_ptr<Compressor> compressor_;
};

}  // namespace xstack
