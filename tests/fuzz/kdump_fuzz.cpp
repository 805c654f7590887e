// SPDX-License-Identifier: LGPL-2.1-or-later
// kdump files, and the flattened format around them: headers, bitmaps, page descriptors, packed pages.
#include <sys/mman.h>

#include "guest/dump/flattened.h"
#include "guest/dump/kdump_reader.h"
#include "guest/dump/scratch_file.h"
#include "tests/fuzz/read_through.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  constexpr std::uint64_t kLimit = 1U << 20;
  auto file = fuzz_file(data, size);
  if (is_flattened(file->bytes())) {
    auto scratch = ScratchFile::create(kLimit);
    if (!scratch || !unflatten(file->bytes(), *scratch) || scratch->size() == 0 || !scratch->finish()) {
      return 0;
    }
    if (scratch->size() > kLimit) {
      __builtin_trap();
    }
    const auto length = static_cast<std::size_t>(scratch->size());
    void* mapped = ::mmap(nullptr, length, PROT_READ, MAP_PRIVATE, scratch->fd(), 0);
    if (mapped == MAP_FAILED) {
      return 0;
    }
    file = fuzz_file(static_cast<const std::uint8_t*>(mapped), length);
    ::munmap(mapped, length);
  }
  if (auto parts = read_kdump(file)) {
    read_through(std::move(*parts));
  }
  return 0;
}
