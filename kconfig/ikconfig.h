// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace xstack {

/// The configuration that a kernel with CONFIG_IKCONFIG holds: "IKCFG_ST", its text as gzip wrote it, "IKCFG_ED"
/// (kernel/configs.c of Linux). Before 5.2 the markers are two arrays, and up to seven NUL bytes may lie between.
class IkconfigFinder {
 public:
  /// The most that is looked at from the start marker on; the compressed text has 20 to 80 KiB.
  static constexpr std::size_t kMaxCompressed = 1U << 20;
  /// Marks that are tried in one search: hostile memory may be full of them.
  static constexpr unsigned kMaxTries = 64;

  /// The text of the first configuration in `bytes`, unpacked to KernelConfig::kMaxText at most. Nothing when there is
  /// none, or the marker's text is cut off or damaged. Counts against kMaxTries of this finder.
  [[nodiscard]] std::optional<std::string> find(std::span<const std::byte> bytes);

 private:
  unsigned tries_ = 0;
};

/// A gzip member at the start of `bytes`, unpacked to `limit` bytes at most; what follows it is ignored. Nothing when
/// it is none, is damaged or cut short, or holds more.
[[nodiscard]] std::optional<std::string> gunzip_bounded(std::span<const std::byte> bytes, std::size_t limit);

}  // namespace xstack
