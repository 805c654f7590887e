// SPDX-License-Identifier: LGPL-2.1-or-later
// ELF cores of machines: segments, notes, and the registers in them.
#include "guest/dump/vmcore_reader.h"
#include "tests/fuzz/read_through.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  const auto file = fuzz_file(data, size);
  const auto elf = parse_elf(file->bytes());
  if (!elf || !is_vmcore(*elf)) {
    return 0;
  }
  if (auto parts = read_vmcore(file, *elf)) {
    read_through(std::move(*parts));
  }
  return 0;
}
