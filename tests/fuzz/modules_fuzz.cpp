// SPDX-License-Identifier: LGPL-2.1-or-later
// The list of modules in memory of any content: it ends, and names are looked for in tables of any size.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/endian.h"
#include "linux/module_list.h"
#include "tests/support/fake_memory.h"
#include "tests/support/module_builder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto u32 = [&](std::uint64_t at) { return load_le_at<std::uint32_t>(bytes, at).value_or(0); };
  for (const unsigned word_size : {4U, 8U}) {
    test::FakeVirt memory;
    test::ModuleForm form;
    form.word_size = word_size;
    form.array = (u32(0) & 1) != 0;
    const test::BuiltModules built = test::build_modules(memory, form, 3);
    // Pairs of place and value change the first structures and their tables.
    for (std::uint64_t at = 4; at + 8 <= size && at < 512; at += 8) {
      const std::uint32_t where = u32(at);
      memory.put(built.modules[where % 3].data + where / 4 % 0xc00, u32(at + 4));
    }
    ModuleListing listing = read_module_list(memory, built.head, word_size);
    if (listing.modules.size() > 3) {
      __builtin_trap();
    }
    ModuleSymbols symbols(memory, std::move(listing.modules), word_size, word_size == 4);
    for (const test::BuiltModule& module : built.modules) {
      for (const std::uint64_t offset : {0U, 0x10U, 0x123U, 0xfffU}) {
        const auto symbol = symbols.symbol_at(module.text + offset);
        if (symbol && (symbol->start > module.text + offset || symbol->module.empty())) {
          __builtin_trap();
        }
      }
    }
  }
  return 0;
}
