// SPDX-License-Identifier: LGPL-2.1-or-later
// System.map and /proc/kallsyms text: what is found for an address begins there or below, and is found in the text as
// it lies as well, where that can be searched.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/endian.h"
#include "linux/file_slide.h"
#include "logs/map_text.h"
#include "symbols/symbol_file.h"

namespace {

using namespace xstack;

void compare(const logs::MapText& map, const SymbolTable& table) {
  if (map.size() != table.size()) {
    __builtin_trap();
  }
  std::size_t looked_at = 0;
  table.for_each([&](std::string_view name, std::uint64_t address, std::uint64_t) {
    if (++looked_at > 64) {
      return;
    }
    for (const std::uint64_t at : {address - 1, address, address + 3}) {
      const auto mine = map.symbol_at(at);
      const auto theirs = table.symbol_at(at);
      if (mine.has_value() != theirs.has_value() ||
          (mine && (mine->name != theirs->name || mine->start != theirs->start || mine->size != theirs->size))) {
        __builtin_trap();
      }
    }
    if (map.addresses_of(std::span(&name, 1)).front() != table.address_of(name)) {
      __builtin_trap();
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto table = parse_symbol_text(text);
  const auto map = logs::MapText::read(text, nullptr);
  if (!table) {
    if (map) {
      __builtin_trap();
    }
    return 0;
  }
  if (map) {
    compare(*map, *table);
  }
  if (table->empty()) {
    __builtin_trap();
  }
  for (const std::uint64_t at :
       {std::uint64_t{0}, std::uint64_t{0xc0008000}, std::uint64_t{0xffffffff81000000}, ~std::uint64_t{0}}) {
    const auto symbol = table->symbol_at(at);
    if (symbol && (symbol->start.value > at || symbol->name.empty())) {
      __builtin_trap();
    }
  }
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::uint64_t slide = load_le_at<std::uint64_t>(bytes, 0).value_or(0);
  static_cast<void>(settle_slide(*table, nullptr, slide));
  auto again = parse_symbol_text(text);
  FileSymbols kernel(std::move(*again), "kallsyms", slide);
  const FileSlide settled = settle_slide(*table, &kernel, std::nullopt);
  static_cast<void>(kernel.symbol_at(GuestVirt(slide)));
  if (!settled.offset && !settled.problem) {
    __builtin_trap();
  }
  return 0;
}
