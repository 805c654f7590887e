// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/scratch_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace xstack {
namespace {

// Holes are made of blocks of this size: large enough to keep the number of writes down.
constexpr std::size_t kHoleSize = 65536;

bool all_zero(std::span<const std::byte> bytes) {
  return bytes.empty() ||
         (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

int open_unnamed(const std::string& directory) {
#ifdef O_TMPFILE
  const int unnamed = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
  if (unnamed >= 0) {
    return unnamed;
  }
#endif
  // Not every file system knows O_TMPFILE; mkostemp creates exclusively and with mode 0600.
  std::string name = directory + "/xstack-XXXXXX";
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) {
    ::unlink(name.c_str());
  }
  return named;
}

}  // namespace

Result<ScratchFile> ScratchFile::create(std::uint64_t limit) {
  std::vector<std::string> directories;
  if (const char* asked = std::getenv("TMPDIR"); asked != nullptr && *asked == '/') {
    directories.emplace_back(asked);
  }
  // /var/tmp before /tmp: the latter is often memory.
  directories.emplace_back("/var/tmp");
  directories.emplace_back("/tmp");
  int error = 0;
  for (const auto& directory : directories) {
    UniqueFd fd(open_unnamed(directory));
    if (fd.valid()) {
      return ScratchFile(std::move(fd), limit);
    }
    error = errno;
  }
  return fail(Errc::io, fmt::format("cannot create a temporary file in {}: {}", fmt::join(directories, ", "),
                                    std::strerror(error)));
}

Result<void> ScratchFile::append(std::span<const std::byte> bytes) {
  if (bytes.size() > limit_ - size_) {
    return fail(Errc::too_large, fmt::format("more than {} GiB when decompressed", limit_ >> 30));
  }
  std::size_t from = 0;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t n = std::min(kHoleSize, bytes.size() - at);
    if (all_zero(bytes.subspan(at, n))) {
      if (auto ok = write_at(size_ + from, bytes.subspan(from, at - from)); !ok) {
        return ok;
      }
      from = at + n;
    }
    at += n;
  }
  if (auto ok = write_at(size_ + from, bytes.subspan(from)); !ok) {
    return ok;
  }
  size_ += bytes.size();
  return {};
}

Result<void> ScratchFile::put(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset > limit_ || bytes.size() > limit_ - offset) {
    return fail(Errc::too_large, fmt::format("more than {} GiB when put together", limit_ >> 30));
  }
  if (auto ok = write_at(offset, bytes); !ok) {
    return ok;
  }
  size_ = std::max(size_, offset + bytes.size());
  return {};
}

Result<void> ScratchFile::finish() {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) {
    return fail(Errc::io, fmt::format("cannot write the temporary file: {}", std::strerror(errno)));
  }
  return {};
}

Result<void> ScratchFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      return fail(Errc::io, fmt::format("cannot write the temporary file: {} (TMPDIR names another place for it)",
                                        std::strerror(errno)));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

}  // namespace xstack
