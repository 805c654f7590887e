// SPDX-License-Identifier: LGPL-2.1-or-later
// Memory that may hold a packed configuration: what comes out is bounded and is one.
#include <cstddef>
#include <cstdint>

#include "kconfig/ikconfig.h"
#include "kconfig/kernel_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto text = IkconfigFinder().find(bytes);
  if (text && (text->size() > KernelConfig::kMaxText || !KernelConfig::parse(*text))) {
    __builtin_trap();
  }
  return 0;
}
