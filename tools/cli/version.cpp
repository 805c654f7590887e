// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include "tools/cli/option_table.h"

namespace xstack {

std::string version_text() {
  const char* live = XSTACK_WITH_XEN ? "yes (libxenctrl and libxenforeignmemory, loaded when needed)" : "no";
  return fmt::format(
      "xstack {}\n"
      "xen:           {}\n"
      "compression:   zstd, xz, gzip\n"
      "architectures: arm32, arm64, x86_32, x86_64\n",
      XSTACK_VERSION, live);
}

}  // namespace xstack
