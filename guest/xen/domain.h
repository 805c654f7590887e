// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "guest/guest.h"
#include "guest/xen/libraries.h"

namespace xstack::xen {

/// What Xen says of a domain.
struct DomainInfo {
  std::uint32_t domid = 0;
  DomainState state;
  bool hvm = false;
  std::uint64_t tot_pages = 0;  ///< pages it has now
  std::uint64_t max_pages = 0;  ///< pages it may have
  std::uint64_t shared_info_frame = 0;
  std::optional<std::uint32_t> max_vcpu_id;  ///< nothing when it has no vCPU
  std::string uuid;                          ///< "01234567-89ab-cdef-0123-456789abcdef"
};

/// The domain with the smallest domid that is `first` or greater; nothing when there is none. Errors: no_access (the
/// library does not fit the running Xen, or Xen does not grant it), io.
[[nodiscard]] Result<std::optional<DomainInfo>> next_domain(const Host& host, std::uint32_t first);

/// The domain with this domid, or nothing.
[[nodiscard]] Result<std::optional<DomainInfo>> find_domain(const Host& host, std::uint32_t domid);

/// The name that the toolstack gave a domain (/local/domain/N/name); nothing when xenstore does not say.
[[nodiscard]] std::optional<std::string> domain_name(const Host& host, std::uint32_t domid);

/// A domain by what people call it. As in xl, digits are always a domid, never a name. A UUID comes next; all else,
/// and a UUID that no domain has, is a name. Errors: no_such_domain, and those of next_domain().
[[nodiscard]] Result<DomainInfo> resolve_domain(const Host& host, const std::string& what);

}  // namespace xstack::xen
