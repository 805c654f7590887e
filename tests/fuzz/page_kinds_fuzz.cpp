// SPDX-License-Identifier: LGPL-2.1-or-later
// A kernel's descriptors of its pages: two bytes of length, so much VMCOREINFO, and memory that is the rest over and
// over. Whatever they say, each page that is asked for gets one answer, in order.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/endian.h"
#include "linux/page_kinds.h"
#include "tests/support/repeating_memory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  if (size < 4) {
    return 0;
  }
  const auto all = std::as_bytes(std::span(data, size));
  const std::size_t length = std::min<std::size_t>(load_le<std::uint16_t>(all.data()), size - 2);
  const auto info = Vmcoreinfo::parse({reinterpret_cast<const char*>(data) + 2, length});
  if (!info) {
    return 0;
  }
  test::RepeatingMemory memory(all.subspan(2 + length));
  for (const unsigned word_size : {4U, 8U}) {
    auto descriptors = PageDescriptors::find(*info, memory, word_size);
    if (!descriptors) {
      continue;
    }
    for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{0x40000}, std::uint64_t{1} << 39}) {
      std::uint64_t next = first;
      descriptors->each(first, 600, [&](std::uint64_t page, PageKind kind) {
        if (page != next++ || static_cast<std::size_t>(kind) >= kPageKinds) {
          __builtin_trap();
        }
      });
      if (next != first + 600) {
        __builtin_trap();
      }
    }
  }
  return 0;
}
