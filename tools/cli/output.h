// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace xstack {

/// Where text goes.
class Output {
 public:
  Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  virtual ~Output() = default;

  /// Writes all of `text`. A reader that went away (`| head`) is no error: the rest is dropped. Errors: io.
  [[nodiscard]] virtual Result<void> write(std::string_view text) = 0;

  /// The same for pieces that lie apart.
  [[nodiscard]] virtual Result<void> write_all(std::span<const std::string_view> pieces) {
    for (const std::string_view piece : pieces) {
      if (auto done = write(piece); !done) {
        return done;
      }
    }
    return {};
  }

  /// Sends bytes of a regular file on without copying them, where the output can: how many were sent, from the first
  /// on; what was not is to be written. Errors: io.
  [[nodiscard]] virtual Result<std::size_t> send(int fd, std::uint64_t offset, std::size_t length) {
    (void)fd;
    (void)offset;
    (void)length;
    return 0;
  }

  /// Is nobody left who reads it? What is written is dropped then.
  [[nodiscard]] virtual bool reader_is_gone() const { return false; }
};

/// A file descriptor that is already open and stays so. SIGPIPE must be ignored by the process.
class FdOutput final : public Output {
 public:
  explicit FdOutput(int fd) : fd_(fd) {}
  [[nodiscard]] Result<void> write(std::string_view text) override;
  [[nodiscard]] Result<void> write_all(std::span<const std::string_view> pieces) override;
  /// Into pipes.
  [[nodiscard]] Result<std::size_t> send(int fd, std::uint64_t offset, std::size_t length) override;
  [[nodiscard]] bool reader_is_gone() const override;

 private:
  bool is_pipe();

  int fd_;
  std::optional<bool> pipe_;  ///< found out when it is first wanted
  bool sends_ = true;         ///< until a file was found that cannot be sent
  bool closed_ = false;
};

/// Keeps the text: for tests.
class StringOutput final : public Output {
 public:
  [[nodiscard]] Result<void> write(std::string_view text) override {
    text_ += text;
    return {};
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace xstack
