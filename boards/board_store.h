// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "boards/board.h"

namespace xstack {

/// Where board files are looked for besides those that are compiled in: NAME.json in each folder, the first that has
/// it wins, and all of them win over the shipped ones.
struct BoardFolders {
  std::vector<std::string> folders;
};

/// $XDG_CONFIG_HOME/xstack/boards (else ~/.config/xstack/boards), then /etc/xstack/boards.
[[nodiscard]] BoardFolders default_board_folders();

/// The board of that name, or, when the word has a slash or ends in .json, the board in that file. What it includes is
/// looked up by name the same way; what a file says wins over what it includes, and a later include over an earlier
/// one. Errors: not_found (with the names there are), io, bad_format (naming the file).
[[nodiscard]] Result<Board> find_board(const std::string& name_or_file, const BoardFolders& folders);

/// A line of the table of all boards.
struct BoardEntry {
  std::string name;
  std::string origin;
  Result<Board> board;  ///< or what is wrong with its file
};

/// All boards, by name. A file that cannot be read is an entry with its error, so that one bad file hides no other.
[[nodiscard]] std::vector<BoardEntry> list_boards(const BoardFolders& folders);

}  // namespace xstack
