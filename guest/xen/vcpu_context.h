// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/error.h"
#include "guest/guest.h"
#include "guest/xen/libraries.h"

namespace xstack::xen {

/// Takes the registers of a domain's vCPUs.
class VcpuReader {
 public:
  VcpuReader(const Host& host, std::uint32_t domid, GuestType type);

  /// One vCPU, whatever became of it. Errors: vanished, when the domain is gone; all else is in the result.
  [[nodiscard]] Result<VcpuContext> read(std::uint32_t id) const;

 private:
  const Host& host_;
  std::uint32_t domid_;
  GuestType type_;
  bool pv32_ = false;  ///< a 32-bit PV guest: its contexts are of the compat layout
};

}  // namespace xstack::xen
