// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/open.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "guest/xen/libraries.h"
#include "guest/xen/live_guest.h"

namespace xstack {
namespace {

/// Says plainly what is missing before a library says it in its own way.
Result<void> check_host() {
  // The second is where kernels before 3.3 had it.
  for (const char* device : {"/dev/xen/privcmd", "/proc/xen/privcmd"}) {
    if (::access(device, R_OK | W_OK) == 0) {
      return {};
    }
    if (errno != ENOENT && errno != ENOTDIR) {
      return fail(Errc::no_access,
                  fmt::format("{}: {}: xstack must run as root to look at domains", device, std::strerror(errno)));
    }
  }
  return fail(
      Errc::no_access,
      "there is no /dev/xen/privcmd: live domains can be looked at in dom0 of a Xen host only (--core reads dumps "
      "anywhere)");
}

}  // namespace

Result<std::unique_ptr<Guest>> open_domain(const std::string& domain) {
  if (auto ok = check_host(); !ok) {
    return tl::unexpected(ok.error());
  }
  auto host = xen::Host::open(xen::LibraryNames::of_this_host());
  if (!host) {
    return tl::unexpected(host.error());
  }
  return xen::open_live_guest(std::move(*host), domain);
}

}  // namespace xstack
