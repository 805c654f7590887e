// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string_view>

#include "arch/arch.h"

namespace xstack {

/// "arm32", "arm64", "x86_32", "x86_64": the architecture of that name.
[[nodiscard]] inline std::optional<ArchId> find_arch(std::string_view name) {
  for (const ArchId id : {ArchId::arm32, ArchId::arm64, ArchId::x86_32, ArchId::x86_64}) {
    if (name == to_string(id)) {
      return id;
    }
  }
  return std::nullopt;
}

}  // namespace xstack
