// SPDX-License-Identifier: LGPL-2.1-or-later
// A board file of anybody's: parsed, and printed in every form.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "kconfig/check.h"
#include "tools/print/board_printer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  auto file = parse_board_file({reinterpret_cast<const char*>(data), size});
  if (!file) {
    return 0;
  }
  Board board;
  board.name = file->name;
  board.title = file->title;
  board.origin = "fuzz";
  board.facts = std::move(file->facts);
  board.rules = std::move(file->rules);
  for (const unsigned char c : print_board(board)) {
    if (c != '\n' && (c < 0x20 || c == 0x7f)) {
      __builtin_trap();
    }
  }
  if (!nlohmann::json::accept(print_board_json(board))) {
    __builtin_trap();
  }
  const auto rules = config_rules(board);
  const auto config = KernelConfig::parse("CONFIG_ARM=y\n");
  const RoleCheck check = check_role(*config, ConfigArch::arm, ConfigRole::dom0, rules);
  (void)config_fragment(*config, {&check, 1});
  // Whatever it says, a plan is whole or refused.
  BootRequest request;
  request.xen.name = "xen";
  request.dom0.name = "zImage";
  request.initrd = BootFile{"initrd", {}};
  if (const auto plan = make_boot_plan(board, request)) {
    (void)boot_script(*plan);
    for (const BootItem* item : {&plan->xen, &plan->tree, &plan->kernel, &*plan->initrd}) {
      if (item->address < plan->ram.begin || item->address + item->bytes > plan->ram.end || item->bytes > item->room) {
        __builtin_trap();
      }
    }
  }
  return 0;
}
