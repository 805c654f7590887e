// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/source.h"

#include <fcntl.h>
#include <lzma.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "guest/dump/decompress.h"
#include "guest/dump/unique_fd.h"

namespace xstack::logs {
namespace {

constexpr std::size_t kInputBlock = 128 << 10;
constexpr unsigned kPollMs = 100;

/// Waits until there is something to read, or its writer is gone, for `wait_ms` at most. False when there is nothing.
bool wait_to_read(int fd, unsigned wait_ms) {
  pollfd wanted{fd, POLLIN, 0};
  return ::poll(&wanted, 1, static_cast<int>(wait_ms)) > 0;
}

/// A descriptor with what was read ahead of it put back.
class PlainSource final : public LogSource {
 public:
  PlainSource(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {
    struct stat info {};
    if (::fstat(fd_.get(), &info) == 0 && S_ISREG(info.st_mode)) {
      start_ = ::lseek(fd_.get(), 0, SEEK_CUR);  // standard input may be read from its middle
    }
  }

  /// To be told when nothing comes for so long. What is no regular file is live then.
  void wait_at_most(unsigned wait_ms) { wait_ms_ = start_ < 0 ? std::optional(wait_ms) : std::nullopt; }

  /// The first bytes, without taking them.
  Result<std::span<const std::byte>> peek() {
    while (ahead_size_ < ahead_.size()) {
      const auto n = read_fd(std::span(ahead_).subspan(ahead_size_));
      if (!n) {
        return tl::unexpected(n.error());
      }
      if (*n == 0) {
        break;
      }
      ahead_size_ += *n;
    }
    return std::as_bytes(std::span(ahead_).first(ahead_size_));
  }

  Result<std::optional<std::size_t>> read(std::span<char> out) override {
    if (ahead_used_ < ahead_size_) {
      const std::size_t n = std::min(out.size(), ahead_size_ - ahead_used_);
      std::memcpy(out.data(), ahead_.data() + ahead_used_, n);
      ahead_used_ += n;
      given_ += n;
      return n;
    }
    if (wait_ms_ && !wait_to_read(fd_.get(), *wait_ms_)) {
      return std::nullopt;
    }
    const auto n = read_fd(out);
    given_ += n.value_or(0);
    return n;
  }

  bool is_live() const override { return wait_ms_.has_value(); }
  void hurry() override { wait_ms_ = wait_ms_ ? std::optional(0U) : std::nullopt; }

  std::optional<Place> place() const override {
    return start_ < 0 ? std::nullopt : std::optional(Place{fd_.get(), static_cast<std::uint64_t>(start_) + given_});
  }

 private:
  Result<std::size_t> read_fd(std::span<char> out) {
    for (;;) {
      const ssize_t n = ::read(fd_.get(), out.data(), out.size());
      if (n >= 0) {
        return static_cast<std::size_t>(n);
      }
      if (errno != EINTR) {
        return fail(Errc::io, path_ + ": " + std::generic_category().message(errno));
      }
    }
  }

  UniqueFd fd_;
  std::string path_;
  std::array<char, 8> ahead_{};
  std::size_t ahead_size_ = 0;
  std::size_t ahead_used_ = 0;
  off_t start_ = -1;         ///< of a regular file, where it was when it was opened
  std::uint64_t given_ = 0;  ///< bytes that read() gave
  std::optional<unsigned> wait_ms_;
};

/// What the three decompressors share: input a block at a time.
class PackedSource : public LogSource {
 public:
  PackedSource(std::unique_ptr<LogSource> in, std::string path)
      : in_(std::move(in)), path_(std::move(path)), block_(kInputBlock) {}

 protected:
  /// More input when all is used; false at its end.
  Result<bool> refill() {
    auto n = in_->read(block_);
    while (n && !*n) {
      n = in_->read(block_);
    }
    if (!n) {
      return tl::unexpected(n.error());
    }
    size_ = **n;
    used_ = 0;
    return size_ != 0;
  }
  [[nodiscard]] tl::unexpected<Error> damaged(const char* why) const {
    return fail(Errc::bad_format, path_ + ": damaged compressed data (" + why + ")");
  }
  [[nodiscard]] tl::unexpected<Error> too_short() const {
    return fail(Errc::truncated, path_ + ": the compressed data ends too early");
  }

  std::unique_ptr<LogSource> in_;
  std::string path_;
  std::vector<char> block_;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
};

class ZstdSource final : public PackedSource {
 public:
  ZstdSource(std::unique_ptr<LogSource> in, std::string path)
      : PackedSource(std::move(in), std::move(path)), context_(ZSTD_createDCtx(), &ZSTD_freeDCtx) {
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, 27);
  }

  Result<std::optional<std::size_t>> read(std::span<char> out) override {
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    while (output.pos == 0) {
      if (used_ == size_) {
        const auto more = refill();
        if (!more) {
          return tl::unexpected(more.error());
        }
        if (!*more) {
          return left_ == 0 ? Result<std::optional<std::size_t>>(0) : too_short();
        }
      }
      ZSTD_inBuffer input{block_.data(), size_, used_};
      left_ = ZSTD_decompressStream(context_.get(), &output, &input);
      used_ = input.pos;
      if (ZSTD_isError(left_) != 0) {
        return damaged(ZSTD_getErrorName(left_));
      }
    }
    return output.pos;
  }

 private:
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context_;
  std::size_t left_ = 0;
};

class XzSource final : public PackedSource {
 public:
  XzSource(std::unique_ptr<LogSource> in, std::string path) : PackedSource(std::move(in), std::move(path)) {
    ready_ = lzma_stream_decoder(&stream_, 256ULL << 20, LZMA_CONCATENATED) == LZMA_OK;
  }
  ~XzSource() override { lzma_end(&stream_); }

  Result<std::optional<std::size_t>> read(std::span<char> out) override {
    stream_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream_.avail_out = out.size();
    while (ready_ && !ended_ && stream_.avail_out == out.size()) {
      lzma_action action = LZMA_RUN;
      if (stream_.avail_in == 0) {
        const auto more = refill();
        if (!more) {
          return tl::unexpected(more.error());
        }
        stream_.next_in = reinterpret_cast<const std::uint8_t*>(block_.data());
        stream_.avail_in = size_;
        action = *more ? LZMA_RUN : LZMA_FINISH;
      }
      const lzma_ret ret = lzma_code(&stream_, action);
      ended_ = ret == LZMA_STREAM_END;
      if (ret == LZMA_BUF_ERROR) {
        return too_short();
      }
      if (ret != LZMA_OK && !ended_) {
        return damaged("xz");
      }
    }
    return out.size() - stream_.avail_out;
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ready_ = false;
  bool ended_ = false;
};

class GzipSource final : public PackedSource {
 public:
  GzipSource(std::unique_ptr<LogSource> in, std::string path) : PackedSource(std::move(in), std::move(path)) {
    ready_ = inflateInit2(&stream_, 16 + 15) == Z_OK;
  }
  ~GzipSource() override { inflateEnd(&stream_); }

  Result<std::optional<std::size_t>> read(std::span<char> out) override {
    stream_.next_out = reinterpret_cast<unsigned char*>(out.data());
    stream_.avail_out = static_cast<unsigned>(std::min<std::size_t>(out.size(), 1U << 30));
    const unsigned room = stream_.avail_out;
    while (ready_ && !ended_ && stream_.avail_out == room) {
      if (stream_.avail_in == 0) {
        const auto more = refill();
        if (!more) {
          return tl::unexpected(more.error());
        }
        if (!*more) {
          return between_members_ ? Result<std::optional<std::size_t>>(0) : too_short();
        }
        stream_.next_in = reinterpret_cast<unsigned char*>(block_.data());
        stream_.avail_in = static_cast<unsigned>(size_);
      }
      if (between_members_) {
        // Another member may follow; zeros and other padding end the data, as they do for gzip.
        if (*stream_.next_in != 0x1f) {
          ended_ = true;
          break;
        }
        inflateReset(&stream_);
        between_members_ = false;
      }
      const int ret = inflate(&stream_, Z_NO_FLUSH);
      between_members_ = ret == Z_STREAM_END;
      if (ret != Z_OK && ret != Z_STREAM_END && ret != Z_BUF_ERROR) {
        return damaged(stream_.msg != nullptr ? stream_.msg : "gzip");
      }
    }
    return room - stream_.avail_out;
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
  bool ended_ = false;
  bool between_members_ = false;
};

Result<UniqueFd> open_fd(const std::string& path) {
  UniqueFd fd(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (fd.get() < 0 || ::fstat(fd.get(), &info) != 0) {
    return fail(Errc::io, path + ": " + std::generic_category().message(errno));
  }
  if (S_ISDIR(info.st_mode)) {
    return fail(Errc::io, path + ": a directory");
  }
  return fd;
}

class FollowedSource final : public LogSource {
 public:
  FollowedSource(UniqueFd fd, std::string path, unsigned wait_ms)
      : fd_(std::move(fd)), path_(std::move(path)), wait_ms_(wait_ms) {}

  Result<std::optional<std::size_t>> read(std::span<char> out) override {
    for (unsigned waited = 0;; waited += kPollMs) {
      const ssize_t n = ::read(fd_.get(), out.data(), out.size());
      if (n > 0) {
        offset_ += n;
        return static_cast<std::size_t>(n);
      }
      if (n < 0 && errno != EINTR) {
        return fail(Errc::io, path_ + ": " + std::generic_category().message(errno));
      }
      if (begins_anew()) {
        continue;
      }
      if (waited >= wait_ms_ || ::poll(nullptr, 0, static_cast<int>(kPollMs)) < 0) {
        return std::nullopt;
      }
    }
  }

  bool is_live() const override { return true; }
  void hurry() override { wait_ms_ = 0; }

 private:
  /// Was the log rotated? All of the old one is read when this is asked first; what was written to it just before it
  /// lost its name is read before it is asked again.
  bool begins_anew() {
    struct stat mine {};
    struct stat named {};
    if (::fstat(fd_.get(), &mine) != 0) {
      return false;
    }
    if (S_ISREG(mine.st_mode) && mine.st_size < offset_) {
      offset_ = ::lseek(fd_.get(), 0, SEEK_SET);
      return true;
    }
    const bool lost = ::stat(path_.c_str(), &named) == 0 && S_ISREG(named.st_mode) &&
                      (named.st_ino != mine.st_ino || named.st_dev != mine.st_dev);
    if (!std::exchange(lost_, lost) && lost) {
      return true;
    }
    if (lost) {
      if (auto next = open_fd(path_)) {
        fd_ = std::move(*next);
        offset_ = 0;
        lost_ = false;
        return true;
      }
    }
    return false;
  }

  UniqueFd fd_;
  std::string path_;
  unsigned wait_ms_;
  off_t offset_ = 0;
  bool lost_ = false;  ///< another file has its name
};

}  // namespace

Result<std::unique_ptr<LogSource>> open_log(const std::string& path, unsigned wait_ms) {
  auto fd = open_fd(path);
  if (!fd) {
    return tl::unexpected(fd.error());
  }
  auto plain = std::make_unique<PlainSource>(std::move(*fd), path);
  const auto start = plain->peek();
  if (!start) {
    return tl::unexpected(start.error());
  }
  const auto compression = detect_compression(*start);
  if (!compression) {
    plain->wait_at_most(wait_ms);
    return plain;
  }
  switch (*compression) {
    case Compression::zstd:
      return std::make_unique<ZstdSource>(std::move(plain), path);
    case Compression::xz:
      return std::make_unique<XzSource>(std::move(plain), path);
    case Compression::gzip:
      break;
  }
  return std::make_unique<GzipSource>(std::move(plain), path);
}

Result<std::unique_ptr<LogSource>> follow_log(const std::string& path, unsigned wait_ms) {
  if (path == "-") {
    return fail(Errc::usage, "--follow needs a file: standard input is read as it comes anyway");
  }
  auto fd = open_fd(path);
  if (!fd) {
    return tl::unexpected(fd.error());
  }
  return std::make_unique<FollowedSource>(std::move(*fd), path, wait_ms);
}

}  // namespace xstack::logs
