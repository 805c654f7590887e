// SPDX-License-Identifier: LGPL-2.1-or-later
#include "boards/board_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "boards/shipped.h"
#include "guest/dump/unique_fd.h"

namespace xstack {
namespace {

constexpr std::size_t kMaxFiles = 1024;  // of a folder
constexpr std::size_t kMaxParts = 32;    // that a board includes, all in all
constexpr const char* kShippedOrigin = "shipped with xstack";
constexpr std::string_view kSuffix = ".json";

/// The text of a regular file; nothing when there is none of that name.
Result<std::optional<std::string>> read_file(const std::string& path) {
  const auto failed = [&](Errc code, const char* why) { return fail(code, fmt::format("{}: {}", path, why)); };
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return std::optional<std::string>{};
    }
    return failed(Errc::io, std::strerror(errno));
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    return failed(Errc::io, std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return failed(Errc::bad_format, "is no file");
  }
  std::string text(kMaxBoardFile + 1, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t n = ::read(fd.get(), text.data() + have, text.size() - have);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return failed(Errc::io, std::strerror(errno));
    }
    if (n == 0) {
      break;
    }
    have += static_cast<std::size_t>(n);
  }
  text.resize(have);
  return std::optional(std::move(text));
}

struct Found {
  BoardFile file;
  std::string origin;
};

Result<Found> parsed(std::string_view text, const std::string& origin) {
  auto file = parse_board_file(text);
  if (!file) {
    return fail(origin, file.error());
  }
  return Found{std::move(*file), origin};
}

/// The file of that name in the folders, or the shipped one; nothing when there is none.
Result<std::optional<Found>> find_file(const std::string& name, const BoardFolders& folders) {
  const auto named = [&](Result<Found> found) -> Result<std::optional<Found>> {
    if (!found) {
      return tl::unexpected(found.error());
    }
    if (found->file.name != name) {
      return fail(Errc::bad_format, fmt::format("{}: its name is '{}' there: a file has the name of its board",
                                                found->origin, found->file.name));
    }
    return std::optional(std::move(*found));
  };
  for (const std::string& folder : folders.folders) {
    const std::string path = fmt::format("{}/{}{}", folder, name, kSuffix);
    auto text = read_file(path);
    if (!text) {
      return tl::unexpected(text.error());
    }
    if (*text) {
      return named(parsed(**text, path));
    }
  }
  for (const ShippedBoard& shipped : shipped_boards()) {
    if (shipped.name == name) {
      return named(parsed(shipped.text, kShippedOrigin));
    }
  }
  return std::optional<Found>{};
}

/// Puts what `file` says over what is there already.
void lay_over(Board& board, BoardFile& file) {
  for (auto& [key, fact] : file.facts) {
    board.facts.insert_or_assign(key, std::move(fact));
  }
  for (BoardRule& rule : file.rules) {
    // A rule about the same option replaces that of an include.
    std::erase_if(board.rules, [&](const BoardRule& old) { return old.options.front() == rule.options.front(); });
    board.rules.push_back(std::move(rule));
  }
}

/// Files in the order in which they are laid over each other: what is included before who includes it, each once.
Result<void> collect(Found found, const BoardFolders& folders, std::vector<Found>& order) {
  // Depth first without recursion: a file is taken when all that it includes has been.
  struct Open {
    Found found;
    std::size_t next = 0;
  };
  std::vector<Open> stack;
  stack.push_back({std::move(found), 0});
  while (!stack.empty()) {
    Open& top = stack.back();
    if (top.next == top.found.file.includes.size()) {
      order.push_back(std::move(top.found));
      stack.pop_back();
      continue;
    }
    const std::string name = top.found.file.includes[top.next++];
    const std::string who = top.found.origin == kShippedOrigin ? top.found.file.name : top.found.origin;
    const auto is_it = [&](const Found& one) { return one.file.name == name; };
    if (std::ranges::any_of(stack, [&](const Open& open) { return is_it(open.found); })) {
      return fail(Errc::bad_format, fmt::format("{}: includes itself by way of '{}'", who, name));
    }
    if (std::ranges::any_of(order, is_it)) {
      continue;
    }
    if (order.size() + stack.size() >= kMaxParts) {
      return fail(Errc::too_large, fmt::format("{}: includes more than {} files", who, kMaxParts));
    }
    auto part = find_file(name, folders);
    if (!part) {
      return tl::unexpected(part.error());
    }
    if (!*part) {
      return fail(Errc::not_found, fmt::format("{}: includes '{}', which there is not", who, name));
    }
    stack.push_back({std::move(**part), 0});
  }
  return {};
}

Result<Board> whole(Found found, const BoardFolders& folders) {
  Board board;
  board.name = found.file.name;
  board.title = found.file.title;
  board.origin = found.origin;
  std::vector<Found> order;
  if (auto collected = collect(std::move(found), folders, order); !collected) {
    return tl::unexpected(collected.error());
  }
  for (Found& one : order) {
    if (one.file.name != board.name) {
      board.parts.push_back(one.file.name);
    }
    lay_over(board, one.file);
  }
  return board;
}

/// Names of the files NAME.json in a folder; one that cannot be read has none.
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), ::closedir);
  while (directory && names.size() < kMaxFiles) {
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) {
      break;
    }
    std::string_view name = entry->d_name;
    if (name.ends_with(kSuffix) && is_board_name(name.substr(0, name.size() - kSuffix.size()))) {
      names.emplace_back(name.substr(0, name.size() - kSuffix.size()));
    }
  }
  return names;
}

std::string known_names(const BoardFolders& folders) {
  std::string out;
  for (const BoardEntry& entry : list_boards(folders)) {
    out += fmt::format("{}{}", out.empty() ? "" : ", ", entry.name);
  }
  return out;
}

}  // namespace

BoardFolders default_board_folders() {
  BoardFolders out;
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  // The base-directory specification: a path that is not absolute is as good as none.
  if (config != nullptr && *config == '/') {
    out.folders.push_back(fmt::format("{}/xstack/boards", config));
  } else if (home != nullptr && *home == '/') {
    out.folders.push_back(fmt::format("{}/.config/xstack/boards", home));
  }
  out.folders.emplace_back("/etc/xstack/boards");
  return out;
}

Result<Board> find_board(const std::string& name_or_file, const BoardFolders& folders) {
  if (name_or_file.find('/') != std::string::npos || name_or_file.ends_with(kSuffix)) {
    auto text = read_file(name_or_file);
    if (!text) {
      return tl::unexpected(text.error());
    }
    if (!*text) {
      return fail(Errc::io, fmt::format("{}: {}", name_or_file, std::strerror(ENOENT)));
    }
    auto found = parsed(**text, name_or_file);
    if (found && found->file.is_part) {
      return fail(Errc::bad_format, name_or_file + ": is a part of boards, not a board");
    }
    return found ? whole(std::move(*found), folders) : tl::unexpected(found.error());
  }
  auto found = is_board_name(name_or_file) ? find_file(name_or_file, folders) : std::optional<Found>{};
  if (!found) {
    return tl::unexpected(found.error());
  }
  if (!*found || (*found)->file.is_part) {
    return fail(Errc::not_found, fmt::format("no board is named '{}'; there are: {}; --board also takes a file",
                                             name_or_file, known_names(folders)));
  }
  return whole(std::move(**found), folders);
}

std::vector<BoardEntry> list_boards(const BoardFolders& folders) {
  std::map<std::string, std::string> origins;  // by name: the first folder that has it
  for (const std::string& folder : folders.folders) {
    for (const std::string& name : names_in(folder)) {
      origins.emplace(name, fmt::format("{}/{}{}", folder, name, kSuffix));
    }
  }
  for (const ShippedBoard& shipped : shipped_boards()) {
    origins.emplace(shipped.name, kShippedOrigin);
  }
  std::vector<BoardEntry> out;
  for (const auto& [name, origin] : origins) {
    auto found = find_file(name, folders);
    if (found && *found && (*found)->file.is_part) {
      continue;
    }
    if (!found || !*found) {
      // Gone since the folder was read, or broken.
      if (!found) {
        out.push_back({name, origin, tl::unexpected(found.error())});
      }
      continue;
    }
    out.push_back({name, origin, whole(std::move(**found), folders)});
  }
  return out;
}

}  // namespace xstack
