// SPDX-License-Identifier: LGPL-2.1-or-later
// System.map and /proc/kallsyms text: what is found for an address begins there or below.
#include <cstddef>
#include <cstdint>

#include "base/endian.h"
#include "linux/file_slide.h"
#include "symbols/symbol_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  auto table = parse_symbol_text({reinterpret_cast<const char*>(data), size});
  if (!table) {
    return 0;
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
  auto again = parse_symbol_text({reinterpret_cast<const char*>(data), size});
  FileSymbols kernel(std::move(*again), "kallsyms", slide);
  const FileSlide settled = settle_slide(*table, &kernel, std::nullopt);
  static_cast<void>(kernel.symbol_at(GuestVirt(slide)));
  if (!settled.offset && !settled.problem) {
    __builtin_trap();
  }
  return 0;
}
