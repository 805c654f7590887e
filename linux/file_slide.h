// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "symbols/symbol_source.h"
#include "symbols/symbol_table.h"

namespace xstack {

/// How far a file's addresses are from the run-time ones.
struct FileSlide {
  std::optional<std::uint64_t> offset;  ///< nothing: the file belongs to another kernel and must not be used
  std::optional<std::string> problem;
};

/// The symbols that settle_slide() compares.
[[nodiscard]] std::span<const std::string_view> slide_names();

/// Compares several symbols of `file` with the kernel's own (`kernel` may be null): all that both have must lie equally
/// far apart. Without any in common, the kernel's own word (`kaslr_offset`), else zero. With `force`, a file that does
/// not fit is used all the same, by the first symbol in common.
[[nodiscard]] FileSlide settle_slide(const SymbolTable& file, SymbolSource* kernel,
                                     std::optional<std::uint64_t> kaslr_offset, bool force = false);

}  // namespace xstack
