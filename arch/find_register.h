// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "arch/arch.h"

namespace xstack {

/// The register that the architecture's table calls `name`.
[[nodiscard]] inline std::optional<RegisterIndex> find_register(const ArchOps& arch, std::string_view name) {
  for (std::size_t i = 0; i < arch.registers.size(); ++i) {
    if (arch.registers[i].name == name) {
      return static_cast<RegisterIndex>(i);
    }
  }
  return std::nullopt;
}

}  // namespace xstack
