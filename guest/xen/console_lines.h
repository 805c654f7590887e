// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "guest/hypervisor_log.h"

namespace xstack::xen {

inline constexpr std::size_t kLinesKept = 16;

/// The lines of Xen's console ring that name domain `domid` as Xen does: "d3v0" and "d3" (%pv and %pd of its printk,
/// also behind a file name), "Domain 3", "Dom3"; and the registers that it prints behind "Domain 3 (vcpu#0) crashed".
/// What the guest itself printed, "(d3) ...", is its own console and is left out, and so are the lines of state that
/// was saved or restored ("HVM d3 save: RTC"). The last kLinesKept are kept, each cut at 400 bytes. `source` is left to
/// the caller.
[[nodiscard]] HypervisorLog lines_of_domain(std::string_view ring, std::uint32_t domid);

}  // namespace xstack::xen
