// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "boards/board.h"
#include "kconfig/kernel_config.h"

namespace xstack {

/// Where a 32-bit ARM kernel puts itself in virtual memory: kernel addresses, from a board's facts and a configuration
/// (linux.* of fact_table() have the sources). What one of them needs and neither says is absent.
struct KernelLayout {
  std::uint64_t start = 0;  ///< PAGE_OFFSET
  std::string why;          ///< what says so: "CONFIG_PAGE_OFFSET", "CONFIG_VMSPLIT_2G", "VMSPLIT_3G, the default"
  bool is_default = true;   ///< as the board's linux.kernel_start
  std::optional<std::uint64_t> text;
  std::optional<std::uint64_t> page_tables;  ///< swapper_pg_dir
  std::optional<std::uint64_t> modules;      ///< MODULES_VADDR; the area ends at `start`
};

/// Nothing when the board has no such facts.
[[nodiscard]] std::optional<KernelLayout> kernel_layout(const Board& board, const KernelConfig& config);

/// The same in one line.
[[nodiscard]] std::string describe(const KernelLayout& layout, const Board& board);

}  // namespace xstack
