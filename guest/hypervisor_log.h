// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace xstack {

/// What the hypervisor wrote about a guest. Text is the hypervisor's, and quotes the guest: escape it to show it.
struct HypervisorLog {
  std::vector<std::string> lines;  ///< oldest first; the newest ones when there were more
  std::uint64_t older = 0;         ///< lines of this guest before those
  std::string source;              ///< where they come from, and what is known of whose they are
};

/// A Guest that is also this has a hypervisor whose log can be asked: a live domain.
class HypervisorLogSource {
 public:
  HypervisorLogSource() = default;
  HypervisorLogSource(const HypervisorLogSource&) = delete;
  HypervisorLogSource& operator=(const HypervisorLogSource&) = delete;
  virtual ~HypervisorLogSource() = default;

  /// What it says now about this guest. Nothing is taken out of the log. Errors: no_access, io.
  [[nodiscard]] virtual Result<HypervisorLog> hypervisor_log() = 0;
};

}  // namespace xstack
