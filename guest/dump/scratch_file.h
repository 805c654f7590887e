// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "guest/dump/unique_fd.h"

namespace xstack {

/// A file without a name, in $TMPDIR, /var/tmp or /tmp, that disappears with its descriptor. What is appended goes to
/// the disk and not to this process's memory; stretches of zeros take no room.
class ScratchFile {
 public:
  /// Nothing longer than `limit` bytes is accepted. Errors: io.
  [[nodiscard]] static Result<ScratchFile> create(std::uint64_t limit);

  /// Errors: too_large (past the limit), io (the disk is full, and the like).
  [[nodiscard]] Result<void> append(std::span<const std::byte> bytes);

  /// Bytes at a place of their own, which may lie behind the end: what is between reads as zeros. Errors: as append().
  [[nodiscard]] Result<void> put(std::uint64_t offset, std::span<const std::byte> bytes);

  /// Ends writing: gives the file its length, which trailing zeros did not. Errors: io.
  [[nodiscard]] Result<void> finish();

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] UniqueFd take() { return std::move(fd_); }

 private:
  ScratchFile(UniqueFd fd, std::uint64_t limit) : fd_(std::move(fd)), limit_(limit) {}
  [[nodiscard]] Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  UniqueFd fd_;
  std::uint64_t limit_;
  std::uint64_t size_ = 0;
};

}  // namespace xstack
