// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "boards/board.h"
#include "boards/boot_file.h"
#include "boards/device_tree.h"

namespace xstack {

/// A file that is to be loaded: its name on the boot medium, and what it is when it is here to be looked at.
struct BootFile {
  std::string name;
  std::optional<BootFileHead> image;
};

struct BootRequest {
  BootFile xen;
  BootFile dom0;
  std::optional<BootFile> initrd;
  std::optional<std::string> dtb_name;  ///< on the boot medium; absent: the board's
  const DeviceTree* tree = nullptr;     ///< that of --dtb, or null
  std::optional<std::uint64_t> ram;     ///< bytes; absent: the board's smallest size
  std::optional<std::uint64_t> dom0_mem;
  std::string dom0_bootargs;  ///< appended to the board's
  std::string xen_bootargs;   ///< appended to the board's
};

/// What lies where at the moment when Xen starts.
struct BootItem {
  std::string what;  ///< "Xen", "device tree", "dom0's kernel", "dom0's initrd"
  std::string name;  ///< on the boot medium; empty: U-Boot's own device tree
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;       ///< of memory
  std::uint64_t file_bytes = 0;  ///< of the file: what a module's `reg` says
  std::uint64_t room = 0;        ///< bytes from `address` to what comes next
  bool assumed = false;          ///< the sizes: the file is not here
};

/// How Xen and dom0 get onto a board: every address checked against RAM, against what U-Boot uses, against what the
/// device tree reserves, and against each other.
struct BootPlan {
  std::string board;
  Area ram;
  std::string ram_why;
  BootItem xen;
  BootItem tree;
  BootItem kernel;
  std::optional<BootItem> initrd;
  std::vector<Area> kept;  ///< what nothing was put on, and why
  std::string xen_bootargs;
  std::string dom0_bootargs;
  bool arm64 = false;               ///< booti, not bootz
  std::uint64_t address_cells = 1;  ///< of /chosen, for the modules' reg
  std::uint64_t size_cells = 1;
  bool make_chosen = false;  ///< the device tree has none
  std::string console;       ///< how Xen's early printk is turned on, for the comments; may be empty
  std::vector<std::string> warnings;
};

/// Errors: not_found (the board does not say what is needed), bad_format (an image that cannot boot there, addresses
/// that overlap), too_large (something does not fit).
[[nodiscard]] Result<BootPlan> make_boot_plan(const Board& board, const BootRequest& request);

/// The boot script, as mkimage takes it (boot.cmd): it loads the files, writes /chosen and starts Xen. What else there
/// is to know stands in its comments.
[[nodiscard]] std::string boot_script(const BootPlan& plan);

/// /chosen as device-tree source, with the sizes of the files as they are here.
[[nodiscard]] std::string boot_nodes(const BootPlan& plan);

}  // namespace xstack
