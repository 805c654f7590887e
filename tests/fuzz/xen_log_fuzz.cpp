// SPDX-License-Identifier: LGPL-2.1-or-later
// Xen's console ring with any bytes in it: few lines come out, none longer than it may be.
#include <cstdint>
#include <string_view>

#include "guest/xen/console_lines.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view ring(reinterpret_cast<const char*>(data), size);
  for (const std::uint32_t domid : {0U, 3U, 32751U}) {
    const auto log = xstack::xen::lines_of_domain(ring, domid);
    if (log.lines.size() > xstack::xen::kLinesKept || (log.older > 0 && log.lines.size() != xstack::xen::kLinesKept)) {
      __builtin_trap();
    }
    for (const std::string& line : log.lines) {
      if (line.size() > 400 || line.find('\n') != std::string::npos) {
        __builtin_trap();
      }
    }
  }
  return 0;
}
