// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>
#include <string>

#include "boards/board_store.h"
#include "boards/boot_plan.h"

namespace xstack {

/// A line for each board.
[[nodiscard]] std::string print_boards(std::span<const BoardEntry> boards);
/// All that a profile says, each value with its source.
[[nodiscard]] std::string print_board(const Board& board);

// xstack-boards-1.json: `boards` or `board`.
[[nodiscard]] std::string print_boards_json(std::span<const BoardEntry> boards);
[[nodiscard]] std::string print_board_json(const Board& board);

/// xstack-boot-1.json: the plan, with the script and the nodes as text.
[[nodiscard]] std::string print_boot_json(const BootPlan& plan);

}  // namespace xstack
