// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace xstack {
namespace {

constexpr int kPipeSize = 1 << 20;       // what anybody may ask for (/proc/sys/fs/pipe-max-size)
constexpr std::size_t kMuch = 64 << 10;  // a pipe holds this much as it is made

/// Another process may have made the pipe or terminal that it shares with this one non-blocking: then who writes has to
/// wait itself. True when it was so, and there is room now or the reader is gone; false for any other error.
bool waited_for_room(int fd) {
  if (errno != EAGAIN) {
    return false;
  }
  pollfd wanted{fd, POLLOUT, 0};
  return ::poll(&wanted, 1, -1) > 0 || errno == EINTR;
}

}  // namespace

Result<void> FdOutput::write(std::string_view text) {
  return write_all(std::span(&text, 1));
}

/// A larger pipe takes as much at once as is read at once, so that writer and reader wake each other less often: half
/// of the time of `xstack log` on an idle machine. No matter if it stays as it was.
bool FdOutput::is_pipe() {
  if (!pipe_) {
    struct stat info {};
    pipe_ = ::fstat(fd_, &info) == 0 && S_ISFIFO(info.st_mode);
    if (*pipe_) {
      (void)::fcntl(fd_, F_SETPIPE_SZ, kPipeSize);
    }
  }
  return *pipe_;
}

Result<void> FdOutput::write_all(std::span<const std::string_view> pieces) {
  std::size_t all = 0;
  for (const std::string_view piece : pieces) {
    all += piece.size();
  }
  if (all > kMuch) {
    (void)is_pipe();
  }
  std::array<iovec, 64> vectors{};
  std::size_t done = 0;  // bytes of the first piece that are written
  while (!pieces.empty() && !closed_) {
    const std::size_t count = std::min(pieces.size(), vectors.size());
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view piece = pieces[i].substr(i == 0 ? done : 0);
      vectors[i] = {const_cast<char*>(piece.data()), piece.size()};  // writev() does not write there
    }
    const ssize_t n = ::writev(fd_, vectors.data(), static_cast<int>(count));
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
      while (!pieces.empty() && done >= pieces.front().size()) {
        done -= pieces.front().size();
        pieces = pieces.subspan(1);
      }
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno != EINTR && !waited_for_room(fd_)) {
      return fail(Errc::io, "writing the output: " + std::generic_category().message(errno));
    }
  }
  return {};
}

Result<std::size_t> FdOutput::send(int fd, std::uint64_t offset, std::size_t length) {
  std::size_t sent = 0;
  while (sends_ && is_pipe() && !closed_ && sent < length) {
    auto from = static_cast<loff_t>(offset + sent);
    const ssize_t n = ::splice(fd, &from, fd_, nullptr, length - sent, 0);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
    } else if (n < 0 && errno == EPIPE) {
      closed_ = true;
    } else if (n < 0 && (errno == EINTR || waited_for_room(fd_))) {
      continue;
    } else {
      sends_ = n == 0;  // the file became shorter; else a file system that cannot do this
      break;
    }
  }
  return closed_ ? length : sent;
}

bool FdOutput::reader_is_gone() const {
  pollfd asked{fd_, 0, 0};
  return closed_ || (::poll(&asked, 1, 0) > 0 && (asked.revents & POLLERR) != 0);
}

}  // namespace xstack
