// SPDX-License-Identifier: LGPL-2.1-or-later
// Guests saved by xl: its header, libxl's stream, libxc's stream, HVM records.
#include "guest/dump/save_reader.h"
#include "tests/fuzz/read_through.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  const auto file = fuzz_file(data, size);
  if (!is_save_image(file->bytes())) {
    return 0;
  }
  if (auto parts = read_save_image(file)) {
    read_through(std::move(*parts));
  }
  return 0;
}
