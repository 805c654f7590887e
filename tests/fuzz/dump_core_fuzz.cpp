// SPDX-License-Identifier: LGPL-2.1-or-later
// dump-core files and captures: both are ELF cores, told apart as open_dump() does. What opens is read through.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "guest/dump/capture_reader.h"
#include "guest/dump/dump_core.h"
#include "guest/dump/recognise.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const auto file = std::make_shared<const InputFile>(std::vector<std::byte>(bytes, bytes + size));
  (void)recognise_foreign(file->bytes());
  const auto elf = parse_elf(file->bytes());
  if (!elf) {
    return 0;
  }
  (void)recognise_foreign_elf(*elf);
  if (!is_dump_core(*elf) && !is_capture(*elf)) {
    return 0;
  }
  auto parts = is_dump_core(*elf) ? read_dump_core(file, *elf) : read_capture(file, *elf);
  if (!parts) {
    return 0;
  }
  const auto guest = make_file_guest(std::move(*parts));
  std::vector<std::byte> page(kXenPageSize + 1);
  std::size_t looked_at = 0;
  for (const auto& range : guest->ram()) {
    // A frame that is listed can be read, and the last one ends where it says.
    if (!guest->memory().read_some(range.first, page) || range.count == 0) {
      __builtin_trap();
    }
    (void)guest->memory().read(range.first + (range.count - 1) * kXenPageSize, page);
    if (++looked_at == 64) {
      break;
    }
  }
  return 0;
}
