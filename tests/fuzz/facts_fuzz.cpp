// SPDX-License-Identifier: LGPL-2.1-or-later
// The facts of a capture: what is read back keeps to the bounds that searches rely on, and can be written again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "linux/kallsyms_tables.h"
#include "linux/kernel_facts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const unsigned word_size : {4U, 8U}) {
    const auto findings = read_facts({{"linux", text}}, word_size);
    if (!findings) {
      continue;
    }
    if (findings->kallsyms && (findings->kallsyms->count == 0 || findings->kallsyms->count > kMaxKallsyms)) {
      __builtin_trap();
    }
    for (const FoundModule& found : findings->modules) {
      if (found.module.text_begin > found.module.text_end) {
        __builtin_trap();
      }
    }
    if (!read_facts(write_facts(*findings), word_size)) {
      __builtin_trap();
    }
  }
  return 0;
}
