// SPDX-License-Identifier: LGPL-2.1-or-later
// A device tree of anybody's: read, held against a profile, and planned with.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "boards/board_store.h"
#include "boards/compare_tree.h"
#include "tools/print/board_printer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  static const Board board = *find_board("cubieboard2", {});
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const auto tree = DeviceTree::parse({bytes, bytes + size});
  if (!tree) {
    return 0;
  }
  (void)compare_tree(board, *tree);
  BootRequest request;
  request.xen.name = "xen";
  request.dom0.name = "zImage";
  request.tree = &*tree;
  const auto plan = make_boot_plan(board, request);
  if (!plan) {
    return 0;
  }
  // Comments of the script hold names of the tree: none may end its line and become a command.
  for (const unsigned char c : boot_script(*plan)) {
    if (c != '\n' && c != '\t' && (c < 0x20 || c == 0x7f)) {
      __builtin_trap();
    }
  }
  if (!nlohmann::json::accept(print_boot_json(*plan))) {
    __builtin_trap();
  }
  for (const BootItem* item : {&plan->xen, &plan->tree, &plan->kernel}) {
    for (const Area& area : plan->kept) {
      if (overlap({item->address, item->address + item->bytes, {}}, area)) {
        __builtin_trap();
      }
    }
  }
  return 0;
}
