// SPDX-License-Identifier: LGPL-2.1-or-later
// The symbol tables of ELF images, for every architecture.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "symbols/symbol_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  // A file of its own memory, as aligned as a mapped one.
  std::vector<std::byte> image(size);
  if (size != 0) {
    std::memcpy(image.data(), data, size);
  }
  for (const ArchId arch : {ArchId::arm32, ArchId::arm64, ArchId::x86_32, ArchId::x86_64}) {
    const auto table = parse_elf_symbols(image, arch);
    if (!table) {
      continue;
    }
    if (table->empty() || table->size() > size) {
      __builtin_trap();
    }
    for (const std::uint64_t at : {std::uint64_t{0x1000}, std::uint64_t{0xffffffff81000110}, ~std::uint64_t{0}}) {
      const auto symbol = table->symbol_at(at);
      if (symbol && symbol->start.value > at) {
        __builtin_trap();
      }
    }
    static_cast<void>(table->address_of("f"));
  }
  return 0;
}
