// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/file_slide.h"

#include <array>
#include <string_view>

namespace xstack {

std::span<const std::string_view> slide_names() {
  // Functions that every kernel has, spread over its text: two builds do not have them all equally far apart.
  static constexpr std::array<std::string_view, 8> kNames = {
      "_stext", "_etext", "schedule", "panic", "kfree", "vfs_write", "_sinittext", "register_chrdev_region"};
  return kNames;
}

FileSlide settle_slide(const SymbolTable& file, SymbolSource* kernel, std::optional<std::uint64_t> kaslr_offset,
                       bool force) {
  std::optional<std::uint64_t> offset;
  bool known = false;
  for (const std::string_view name : slide_names()) {
    const auto there = file.address_of(name);
    const auto here = kernel != nullptr ? kernel->address_of(name) : std::nullopt;
    known = known || here.has_value();
    if (!there || !here) {
      continue;
    }
    const std::uint64_t distance = here->value - *there;
    if (offset && force) {
      break;
    }
    if (offset && *offset != distance) {
      return {std::nullopt, "the file belongs to another kernel than the one that runs: it is not used"};
    }
    offset = distance;
  }
  if (offset) {
    return {offset, std::nullopt};
  }
  if (known && !force) {
    return {std::nullopt, "the file has none of the names that the kernel has: it is not used"};
  }
  return {kaslr_offset.value_or(0), std::nullopt};
}

}  // namespace xstack
