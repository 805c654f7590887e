// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace xstack::test {

/// A host with domains as the fake libraries present it. Plain data, so that it can lie in memory shared with a child
/// process; a test hands it over with `fake_xen_use()`, which it finds in the library by dlsym().
struct FakeDomain {
  std::uint32_t domid = 0;
  std::uint32_t flags = 0;  ///< XEN_DOMINF_*
  std::uint64_t pages = 0;
  std::uint64_t shared_info_frame = 0;
  std::uint32_t vcpus = 1;
  std::uint8_t handle[16] = {};
  char name[32] = {};
};

struct FakeXen {
  static constexpr std::size_t kDomains = 4;
  static constexpr std::size_t kFrames = 1024;

  FakeDomain domains[kDomains];
  std::uint32_t domain_count = 0;
  std::uint32_t info_size = 112;     ///< sizeof(xc_domaininfo_t) of the release that is played
  std::uint32_t context_size = 352;  ///< sizeof(vcpu_guest_context_any_t)
  std::uint32_t guest_width = 8;     ///< of PV guests
  std::uint32_t never_up = ~0U;      ///< vCPU that gives -ENODATA
  std::uint32_t offline = ~0U;       ///< vCPU that is offline
  std::uint32_t refused = ~0U;       ///< vCPU that gives -EPERM
  int version = (4 << 16) | 17;
  char capabilities[64] = "xen-3.0-aarch64 xen-3.0-armv7l ";
  int list_error = 0;  ///< errno of xc_domain_getinfolist
  int pause_error = 0;
  bool no_store = false;
  std::uint64_t first_frame = 0x40000;  ///< the guest's frames: [first, first + frames), filled with their number
  std::uint64_t frames = kFrames;
  std::uint64_t hole = ~0ULL;             ///< a frame in it that is not there
  std::uint32_t vanish_after_maps = ~0U;  ///< calls of map after which the domains are gone

  char console[8192] = {};       ///< Xen's console ring, up to the first NUL
  int console_error = 0;         ///< errno of xc_readconsolering
  bool console_cleared = false;  ///< somebody asked for that

  std::atomic<int> pauses{0};  ///< pause count of the domain, as Xen counts
  std::atomic<int> pause_calls{0};
  std::atomic<int> unpause_calls{0};
  std::atomic<int> failing_unpauses{0};  ///< this many calls of unpause fail with EINTR
  std::atomic<std::uint32_t> map_calls{0};
  std::atomic<std::uint32_t> mapped_now{0};
  std::atomic<std::uint32_t> mapped_most{0};
  std::atomic<std::uint32_t> largest_batch{0};
  std::atomic<bool> written{false};  ///< a mapping was asked for with more than PROT_READ
};

}  // namespace xstack::test
