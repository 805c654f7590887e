// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "boards/board_store.h"
#include "boards/boot_plan.h"
#include "guest/dump/input_file.h"
#include "guest/dump/unique_fd.h"
#include "tools/cli/commands.h"
#include "tools/print/board_printer.h"

namespace xstack {
namespace {

Result<ExitStatus> written(const Invocation& invocation, const std::string& text, ExitStatus status) {
  const auto done = invocation.console.out.write(text);
  return done ? Result<ExitStatus>(status) : tl::unexpected(done.error());
}

/// The table. A broken file is a line of it, and makes the answer partial.
Result<ExitStatus> list(const Invocation& invocation) {
  const auto boards = list_boards(default_board_folders());
  ExitStatus status = ExitStatus::whole;
  for (const BoardEntry& entry : boards) {
    if (!entry.board) {
      complain(invocation.console, entry.board.error().message);
      status = ExitStatus::partial;
    }
  }
  return written(invocation, invocation.options.json ? print_boards_json(boards) : print_boards(boards), status);
}

Result<ExitStatus> show(const Invocation& invocation, const std::string& name) {
  const auto board = find_board(name, default_board_folders());
  if (!board) {
    return tl::unexpected(board.error());
  }
  return written(invocation, invocation.options.json ? print_board_json(*board) : print_board(*board),
                 ExitStatus::whole);
}

/// The first bytes of a file and its size; nothing when there is no such file here, so that the word is but a name.
Result<std::optional<BootFileHead>> look_at(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd.valid() && (errno == ENOENT || errno == ENOTDIR)) {
    return std::optional<BootFileHead>{};
  }
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) {
    return fail(Errc::io, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  if (!S_ISREG(status.st_mode) || status.st_size == 0) {
    return fail(Errc::bad_format, path + (S_ISREG(status.st_mode) ? ": is empty" : ": is no file"));
  }
  std::array<std::byte, BootFileHead::kHead> head{};
  const ssize_t n = ::pread(fd.get(), head.data(), head.size(), 0);
  if (n < 0) {
    return fail(Errc::io, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  return std::optional(recognise_boot_file(std::span<const std::byte>(head).first(static_cast<std::size_t>(n)),
                                           static_cast<std::uint64_t>(status.st_size)));
}

/// A file here is known on the boot medium by the last part of its path.
std::string medium_name(const std::string& path, bool is_here) {
  return is_here ? path.substr(path.rfind('/') + 1) : path;
}

Result<BootFile> boot_file(const std::string& path) {
  auto image = look_at(path);
  if (!image) {
    return tl::unexpected(image.error());
  }
  return BootFile{medium_name(path, image->has_value()), *image};
}

Result<std::optional<DeviceTree>> read_tree(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) {
    return std::optional<DeviceTree>{};
  }
  const auto file = InputFile::open(path);
  if (!file) {
    return tl::unexpected(file.error());
  }
  const auto bytes = (*file)->bytes();
  if (bytes.size() > 2 * DeviceTree::kMaxSize) {
    return fail(Errc::too_large, path + ": is larger than any device tree");
  }
  auto tree = DeviceTree::parse({bytes.begin(), bytes.end()});
  if (!tree) {
    return fail(path, tree.error());
  }
  return std::optional(std::move(*tree));
}

Result<ExitStatus> boot(const Invocation& invocation, const std::string& name) {
  const Options& options = invocation.options;
  if (!options.xen || !options.dom0) {
    return fail(Errc::usage, "boards boot: no --xen FILE or no --dom0 FILE");
  }
  const auto board = find_board(name, default_board_folders());
  if (!board) {
    return tl::unexpected(board.error());
  }
  BootRequest request;
  auto xen = boot_file(*options.xen);
  auto dom0 = xen ? boot_file(*options.dom0) : xen;
  auto initrd = dom0 && options.initrd ? boot_file(*options.initrd) : dom0;
  auto tree = initrd && options.dtb ? read_tree(*options.dtb) : std::optional<DeviceTree>{};
  if (!initrd || !tree) {
    return tl::unexpected(!initrd ? initrd.error() : tree.error());
  }
  request.xen = std::move(*xen);
  request.dom0 = std::move(*dom0);
  if (options.initrd) {
    request.initrd = std::move(*initrd);
  }
  if (options.dtb) {
    request.dtb_name = medium_name(*options.dtb, tree->has_value());
    request.tree = *tree ? &**tree : nullptr;
  }
  request.ram = options.ram;
  request.dom0_mem = options.dom0_mem;
  request.dom0_bootargs = options.bootargs;
  request.xen_bootargs = options.xen_bootargs;
  const auto plan = make_boot_plan(*board, request);
  if (!plan) {
    return tl::unexpected(plan.error());
  }
  for (const std::string& warning : plan->warnings) {
    complain(invocation.console, "warning: " + warning);
  }
  return written(invocation, options.json ? print_boot_json(*plan) : boot_script(*plan), ExitStatus::whole);
}

}  // namespace

Result<ExitStatus> run_boards(const Invocation& invocation) {
  const Options& options = invocation.options;
  const auto& words = options.board_words;
  const bool booting = !words.empty() && words.front() == "boot";
  if (!booting && (options.xen || options.dom0 || options.initrd || options.dtb || options.ram || options.dom0_mem ||
                   !options.bootargs.empty() || !options.xen_bootargs.empty())) {
    return fail(Errc::usage, "boards: what boots is asked of `boards boot` alone");
  }
  if (words.empty()) {
    return list(invocation);
  }
  if (words.front() == "show") {
    if (words.size() != 2) {
      return fail(Errc::usage, "boards show: takes the name of one board, or a file");
    }
    return show(invocation, words[1]);
  }
  if (booting) {
    if (words.size() != 2) {
      return fail(Errc::usage, "boards boot: takes the name of one board, or a file");
    }
    return boot(invocation, words[1]);
  }
  return fail(Errc::usage,
              fmt::format("boards: '{}' is neither `show` nor `boot`; alone, it lists all boards", words.front()));
}

}  // namespace xstack
