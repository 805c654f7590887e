// SPDX-License-Identifier: LGPL-2.1-or-later
// Compressed input, bounded: whatever the bytes say, no more comes out than the limit lets through.
#include <cstddef>
#include <cstdint>

#include "guest/dump/decompress.h"
#include "guest/dump/scratch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  constexpr std::uint64_t kLimit = 4 << 20;
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto kind = detect_compression(bytes);
  if (!kind) {
    return 0;
  }
  auto out = ScratchFile::create(kLimit);
  if (!out) {
    return 0;
  }
  (void)decompress(*kind, bytes, *out);
  if (out->size() > kLimit) {
    __builtin_trap();
  }
  return 0;
}
