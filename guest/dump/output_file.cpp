// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/checked.h"

namespace xstack {
struct OutputFile::Compressor {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), &ZSTD_freeCCtx};
  std::vector<std::byte> block = std::vector<std::byte>(ZSTD_CStreamOutSize());
};

OutputFile::OutputFile() = default;

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      compressor_(std::move(other.compressor_)),
      plain_(other.plain_),
      size_(other.size_),
      skip_(other.skip_) {}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) {
    ::unlink(temporary_.c_str());
  }
}

Result<OutputFile> OutputFile::create(const std::string& path) {
  return create(path, path.ends_with(".zst") ? std::optional(kZstdForCaptures) : std::nullopt);
}

Result<OutputFile> OutputFile::create(const std::string& path, std::optional<int> zstd) {
  struct stat status {};
  // A rename would put a plain file in the place of /dev/null, say. Symbolic links are replaced, never followed.
  if (::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) {
    return fail(Errc::usage, path + ": not a plain file");
  }
  OutputFile out;
  out.path_ = path;
  std::string temporary = path + ".XXXXXX";
  out.fd_ = UniqueFd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!out.fd_.valid()) {
    return fail(Errc::io, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  out.temporary_ = std::move(temporary);
  if (auto ok = out.compress_at(zstd); !ok) {
    return tl::unexpected(ok.error());
  }
  return out;
}

Result<OutputFile> OutputFile::standard_output(std::optional<int> zstd, std::uint64_t skip) {
  OutputFile out;
  out.skip_ = skip;
  out.path_ = "standard output";
  out.plain_ = false;
  if (::isatty(STDOUT_FILENO) == 1) {
    return fail(Errc::usage, "standard output is a terminal: a dump is nothing to look at");
  }
  out.fd_ = UniqueFd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  if (!out.fd_.valid()) {
    return fail(Errc::io, fmt::format("standard output: {}", std::strerror(errno)));
  }
  if (auto ok = out.compress_at(zstd); !ok) {
    return tl::unexpected(ok.error());
  }
  return out;
}

Result<void> OutputFile::compress_at(std::optional<int> level) {
  if (!level) {
    return {};
  }
  compressor_ = std::make_unique<Compressor>();
  if (!compressor_->context) {
    return fail(Errc::io, path_ + ": out of memory");
  }
  ZSTD_CCtx_setParameter(compressor_->context.get(), ZSTD_c_compressionLevel, *level);
  ZSTD_CCtx_setParameter(compressor_->context.get(), ZSTD_c_checksumFlag, 1);
  return {};
}

Result<void> OutputFile::append(std::span<const std::byte> bytes) {
  size_ += bytes.size();
  return compressor_ ? compress(bytes, false) : write_all(bytes);
}

Result<void> OutputFile::append_zeros(std::uint64_t count) {
  static constexpr std::array<std::byte, 65536> kZeros{};
  if (!compressor_ && plain_) {
    size_ += count;
    if (::lseek(fd_.get(), static_cast<off_t>(count), SEEK_CUR) < 0) {
      return fail(Errc::io, fmt::format("{}: {}", path_, std::strerror(errno)));
    }
    return {};
  }
  while (count != 0) {
    const auto part = std::span(kZeros).first(at_most(kZeros.size(), count));
    if (auto ok = append(part); !ok) {
      return ok;
    }
    count -= part.size();
  }
  return {};
}

Result<void> OutputFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  size_ = std::max(size_, offset + bytes.size());
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      return fail(Errc::io, fmt::format("{}: {}", path_, std::strerror(errno)));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Result<void> OutputFile::commit() {
  if (compressor_) {
    if (auto ok = compress({}, true); !ok) {
      return ok;
    }
  }
  if (skip_ != 0) {
    return fail(Errc::usage, fmt::format("it has {} bytes less than were to be skipped: nothing was written", skip_));
  }
  if (!plain_) {
    return {};
  }
  // A file that ends in a hole is not as long as it should be yet.
  if (!compressor_ && ::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) {
    return fail(Errc::io, fmt::format("{}: {}", path_, std::strerror(errno)));
  }
  if (::fsync(fd_.get()) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return fail(Errc::io, fmt::format("{}: {}", path_, std::strerror(errno)));
  }
  temporary_.clear();
  return {};
}

Result<void> OutputFile::compress(std::span<const std::byte> bytes, bool last) {
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  for (;;) {
    ZSTD_outBuffer output{compressor_->block.data(), compressor_->block.size(), 0};
    const std::size_t left =
        ZSTD_compressStream2(compressor_->context.get(), &output, &input, last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left) != 0) {
      return fail(Errc::io, fmt::format("{}: cannot be compressed: {}", path_, ZSTD_getErrorName(left)));
    }
    if (auto ok = write_all(std::span(compressor_->block).first(output.pos)); !ok) {
      return ok;
    }
    if (last ? left == 0 : input.pos == input.size) {
      return {};
    }
  }
}

Result<void> OutputFile::write_all(std::span<const std::byte> bytes) {
  const std::size_t skipped = at_most(bytes.size(), skip_);
  skip_ -= skipped;
  bytes = bytes.subspan(skipped);
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      return fail(Errc::io, fmt::format("{}: {}", path_, std::strerror(errno)));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace xstack
