// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace xstack {
namespace {

// A capture is small and read often: time spent here is well spent.
constexpr int kLevel = 12;

}  // namespace

struct OutputFile::Compressor {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), &ZSTD_freeCCtx};
  std::vector<std::byte> block = std::vector<std::byte>(ZSTD_CStreamOutSize());
};

OutputFile::OutputFile() = default;

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      compressor_(std::move(other.compressor_)) {}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) {
    ::unlink(temporary_.c_str());
  }
}

Result<OutputFile> OutputFile::create(const std::string& path) {
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
  if (path.ends_with(".zst")) {
    out.compressor_ = std::make_unique<Compressor>();
    if (!out.compressor_->context) {
      return fail(Errc::io, path + ": out of memory");
    }
    ZSTD_CCtx_setParameter(out.compressor_->context.get(), ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setParameter(out.compressor_->context.get(), ZSTD_c_checksumFlag, 1);
  }
  return out;
}

Result<void> OutputFile::append(std::span<const std::byte> bytes) {
  return compressor_ ? compress(bytes, false) : write_all(bytes);
}

Result<void> OutputFile::commit() {
  if (compressor_) {
    if (auto ok = compress({}, true); !ok) {
      return ok;
    }
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
