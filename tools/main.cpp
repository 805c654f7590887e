// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "tools/cli/run.h"

namespace {

/// Descriptors 0 to 2 must be taken, or the first file that is opened becomes somebody's standard output.
void fill_standard_descriptors() {
  int fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= 2) {
    fd = ::open("/dev/null", O_RDWR);
  }
  if (fd > 2) {
    ::close(fd);
  }
}

bool shows_color() {
  // The convention of no-color.org: set and not empty.
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (no_color == nullptr || *no_color == '\0') && ::isatty(STDOUT_FILENO) == 1 && term != nullptr &&
         std::strcmp(term, "dumb") != 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    fill_standard_descriptors();
    // A reader that goes away is seen as EPIPE by write(): quiet, and nothing is left half done.
    (void)std::signal(SIGPIPE, SIG_IGN);
    xstack::FdOutput out(STDOUT_FILENO);
    xstack::FdOutput err(STDERR_FILENO);
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    return static_cast<int>(
        xstack::run(arguments, xstack::real_backend(), {out, err, shows_color(), ::isatty(STDOUT_FILENO) == 1}));
  } catch (const std::exception&) {
    return static_cast<int>(xstack::ExitStatus::not_understood);
  }
}
