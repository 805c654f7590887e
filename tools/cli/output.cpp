// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace xstack {

Result<void> FdOutput::write(std::string_view text) {
  while (!text.empty() && !closed_) {
    const ssize_t n = ::write(fd_, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno != EINTR) {
      return fail(Errc::io, "writing the output: " + std::generic_category().message(errno));
    }
  }
  return {};
}

}  // namespace xstack
