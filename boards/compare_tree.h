// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "boards/board.h"
#include "boards/device_tree.h"

namespace xstack {

/// A fact of a profile beside what a device tree has for it, both as text.
struct TreeComparison {
  std::string key;    ///< of fact_table()
  std::string board;  ///< foreign text, like the next one
  std::string tree;   ///< empty when the tree has nothing for it
  bool agrees = false;
};

/// Every fact of the profile that a device tree of the board has as well, in the order of fact_table().
[[nodiscard]] std::vector<TreeComparison> compare_tree(const Board& board, const DeviceTree& tree);

}  // namespace xstack
