// SPDX-License-Identifier: LGPL-2.1-or-later
// ELF files with DWARF, linked and relocatable: opened, asked for their functions, and for lines at addresses in code.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "symbols/debug_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  const auto file = DebugFile::from_bytes({reinterpret_cast<const std::byte*>(data), size}, std::nullopt);
  if (!file) {
    return 0;
  }
  DebugFile& debug = **file;
  (void)debug.debug_link();
  static constexpr std::array<std::string_view, 2> kNames = {"outer", "other"};
  const SymbolTable symbols = debug.symbols_named(kNames);
  const auto ask_round = [&](std::uint64_t address) {
    for (std::uint64_t at = 0; at < 48; at += 3) {
      for (const SourcePlace& place : debug.places_at(address + at)) {
        if (place.line && !place.file) {
          __builtin_trap();  // a line of no file
        }
      }
    }
  };
  for (const std::string_view name : kNames) {
    if (const auto address = symbols.address_of(name)) {
      ask_round(*address);
    }
  }
  std::size_t asked = 0;
  for (const FileFunction& function : debug.functions()) {
    ask_round(function.address);
    if (++asked == 8) {
      break;
    }
  }
  ask_round(0);
  ask_round(0x1000);
  return 0;
}
