// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "guest/dump/unique_fd.h"

namespace xstack {

/// How hard zstd works on a file. A capture is small and read often: time spent on it is well spent. A dump is large,
/// and its guest may be waiting.
inline constexpr int kZstdForCaptures = 12;
inline constexpr int kZstdForDumps = 1;

/// A file that comes into being as a whole or not at all: written under a temporary name beside its place (created
/// exclusively, mode 0600), then renamed. Compressed with zstd when its name ends in .zst.
class OutputFile {
 public:
  /// Errors: usage (`path` is there and no plain file), io. `zstd`: compressed, at this level, whatever its name is.
  [[nodiscard]] static Result<OutputFile> create(const std::string& path);
  [[nodiscard]] static Result<OutputFile> create(const std::string& path, std::optional<int> zstd);
  /// Standard output, which cannot be undone; its first `skip` bytes are not written, since whoever reads has them
  /// already. Errors: usage (it is a terminal), io.
  [[nodiscard]] static Result<OutputFile> standard_output(std::optional<int> zstd, std::uint64_t skip = 0);
  OutputFile(OutputFile&&) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  /// Removes the temporary file unless commit() was called.
  ~OutputFile();

  [[nodiscard]] Result<void> append(std::span<const std::byte> bytes);
  /// So many zero bytes: a hole, where the file can have one.
  [[nodiscard]] Result<void> append_zeros(std::uint64_t count);
  /// `bytes` at `offset` of a plain file that is not compressed, in any order; append() is not for the same file.
  [[nodiscard]] Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Standard output: what is written cannot be gone back to.
  [[nodiscard]] bool is_stream() const { return !plain_; }
  /// Errors: io; usage when there was less than was to be skipped.
  [[nodiscard]] Result<void> commit();
  /// Bytes given to append() and append_zeros() so far, or the end of what write_at() wrote.
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  struct Compressor;
  OutputFile();
  [[nodiscard]] Result<void> compress_at(std::optional<int> level);
  [[nodiscard]] Result<void> write_all(std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> compress(std::span<const std::byte> bytes, bool last);

  UniqueFd fd_;
  std::string path_;
  std::string temporary_;
  std::unique_ptr<Compressor> compressor_;
  bool plain_ = true;  ///< a file of our own, not standard output
  std::uint64_t size_ = 0;
  std::uint64_t skip_ = 0;  ///< how much is still to be left out
};

}  // namespace xstack
