// SPDX-License-Identifier: LGPL-2.1-or-later
// The text of VMCOREINFO: whatever it says, what is taken from it has the form that callers rely on.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "linux/kernel_image.h"
#include "linux/vmcoreinfo.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xstack;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(find_banner(std::as_bytes(std::span(data, size))));
  static_cast<void>(release_of_banner(text));
  const auto info = Vmcoreinfo::parse(text);
  if (!info) {
    return 0;
  }
  if (!info->release() || !is_release(*info->release()) || (info->build_id() && info->build_id()->size() > 64)) {
    __builtin_trap();
  }
  for (const std::string_view key : {"", "_stext", "swapper_pg_dir", "VA_BITS", "phys_base"}) {
    static_cast<void>(info->value(key));
    static_cast<void>(info->symbol(key));
    static_cast<void>(info->number(key));
  }
  static_cast<void>(info->kernel_offset());
  return 0;
}
