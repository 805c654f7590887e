// SPDX-License-Identifier: LGPL-2.1-or-later
#include "boards/kernel_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace xstack {
namespace {

bool is_on(const KernelConfig& config, std::string_view option) {
  return config.value(option) == "y";
}

/// The platforms that move the text of a kernel that is for them as well: arch/arm/Makefile, textofs-y.
bool is_multiplatform(const KernelConfig& config) {
  static constexpr std::array<std::string_view, 4> kPlatforms = {"ARCH_MESON", "ARCH_MSM8X60", "ARCH_MSM8960",
                                                                 "ARCH_IPQ40XX"};
  return std::ranges::any_of(kPlatforms, [&](std::string_view name) { return is_on(config, name); });
}

/// (start, what says so)
std::optional<std::pair<std::uint64_t, std::string>> start_of(const Board& board, const KernelConfig& config) {
  if (const auto said = config.value("PAGE_OFFSET")) {
    if (const auto value = parse_size(*said); value && *value <= 0xffffffff) {
      return std::pair(*value, std::string("CONFIG_PAGE_OFFSET"));
    }
  }
  for (const char* split : {"VMSPLIT_3G", "VMSPLIT_3G_OPT", "VMSPLIT_2G", "VMSPLIT_1G"}) {
    std::string key = fmt::format("linux.kernel_start.{}", split);
    std::ranges::transform(key, key.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto value = is_on(config, split) ? board.number(key) : std::nullopt;
    if (value) {
      return std::pair(*value, fmt::format("CONFIG_{}", split));
    }
  }
  const auto value = board.number("linux.kernel_start");
  return value ? std::optional(std::pair(*value, fmt::format("{}, the default: the configuration does not say",
                                                             board.text("linux.vmsplit").value_or("the board"))))
               : std::nullopt;
}

}  // namespace

std::optional<KernelLayout> kernel_layout(const Board& board, const KernelConfig& config) {
  const auto usual = board.number("linux.kernel_start");
  auto start = start_of(board, config);
  if (!usual || !start) {
    return std::nullopt;
  }
  KernelLayout out;
  out.start = start->first;
  out.why = std::move(start->second);
  out.is_default = out.start == *usual;
  const auto offset = board.number(is_multiplatform(config) ? "linux.text_offset.multiplatform" : "linux.text_offset");
  if (offset) {
    out.text = out.start + *offset;
    const auto tables = board.number(is_on(config, "ARM_LPAE") ? "linux.page_tables.lpae" : "linux.page_tables");
    if (tables && *tables <= *offset) {
      out.page_tables = *out.text - *tables;
    }
  }
  const auto modules = board.number(is_on(config, "THUMB2_KERNEL") ? "linux.modules.thumb2" : "linux.modules");
  if (modules && *modules <= out.start) {
    out.modules = out.start - *modules;
  }
  return out;
}

std::string describe(const KernelLayout& layout, const Board& board) {
  std::string out = fmt::format("kernel addresses from {:#x} ({}){}", layout.start, layout.why,
                                layout.is_default ? ", as the board's default"
                                                  : fmt::format(", not from {:#x}, the board's default",
                                                                board.number("linux.kernel_start").value_or(0)));
  if (layout.text) {
    out += fmt::format("; text from {:#x}", *layout.text);
  }
  if (layout.page_tables) {
    out += fmt::format(", page tables at {:#x}", *layout.page_tables);
  }
  if (layout.modules) {
    out += fmt::format(", modules from {:#x}", *layout.modules);
  }
  return out;
}

}  // namespace xstack
