// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>
#include <string_view>

namespace xstack {

/// A file of boards/, compiled in: one binary in dom0 knows all of them.
struct ShippedBoard {
  std::string_view name;  ///< without .json
  std::string_view text;
};

/// Sorted by name. What defines it is made by boards/CMakeLists.txt.
[[nodiscard]] std::span<const ShippedBoard> shipped_boards();

}  // namespace xstack
