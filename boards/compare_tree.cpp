// SPDX-License-Identifier: LGPL-2.1-or-later
#include "boards/compare_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace xstack {
namespace {

constexpr std::size_t kMaxCores = 1024;

/// What the tree has for a fact; nothing when it is no fact that a tree has, an absent value when it lacks it.
struct Counterpart {
  std::optional<FactValue> value;
};

std::vector<std::string> cores(const DeviceTree& tree) {
  std::vector<std::string> out;
  for (const std::string& name : tree.children("/cpus")) {
    if (tree.text("/cpus/" + name, "device_type") == "cpu" && out.size() < kMaxCores) {
      out.push_back("/cpus/" + name);
    }
  }
  return out;
}

std::optional<FactValue> first_text(const std::vector<std::string>& all) {
  return all.empty() ? std::nullopt : std::optional<FactValue>(all.front());
}

std::optional<FactValue> one_cell(const std::vector<std::uint32_t>& all) {
  return all.size() == 1 ? std::optional<FactValue>(std::uint64_t{all.front()}) : std::nullopt;
}

std::optional<FactValue> nth_reg(const DeviceTree& tree, const std::string& path, std::size_t n) {
  const auto areas = tree.reg(path);
  return n < areas.size() ? std::optional<FactValue>(areas[n].begin) : std::nullopt;
}

/// "serial0:115200n8" -> 115200: Documentation/devicetree/bindings/chosen.txt.
std::optional<FactValue> baud_of(const std::string& stdout_path) {
  const auto colon = stdout_path.find(':');
  std::string_view digits =
      colon == std::string::npos ? std::string_view() : std::string_view(stdout_path).substr(colon + 1);
  digits = digits.substr(0, digits.find_first_not_of("0123456789"));
  const auto value = parse_size(digits);
  return value ? std::optional<FactValue>(*value) : std::nullopt;
}

std::optional<FactValue> as_value(std::optional<std::string> text) {
  return text ? std::optional<FactValue>(std::move(*text)) : std::nullopt;
}

std::optional<Counterpart> counterpart(const std::string& key, const Board& board, const DeviceTree& tree) {
  const std::string uart = board.text("uart.path").value_or("");
  const std::string gic = board.text("gic.path").value_or("");
  const auto all = cores(tree);
  if (key == "model") {
    return Counterpart{as_value(tree.text("/", "model"))};
  }
  if (key == "compatible") {
    return Counterpart{tree.texts("/", "compatible")};
  }
  if (key == "soc.compatible") {
    const auto names = tree.texts("/", "compatible");
    return Counterpart{names.empty() ? std::nullopt : std::optional<FactValue>(names.back())};
  }
  if (key == "cpu.compatible") {
    return Counterpart{all.empty() ? std::nullopt : first_text(tree.texts(all.front(), "compatible"))};
  }
  if (key == "cpu.count") {
    return Counterpart{FactValue(std::uint64_t{all.size()})};
  }
  if (key == "uart.path") {
    const std::string alias = board.text("uart.alias").value_or("serial0");
    return Counterpart{as_value(tree.text("/aliases", alias.c_str()))};
  }
  if (key == "uart.alias") {
    const auto path = tree.text("/chosen", "stdout-path").value_or("");
    return Counterpart{as_value(path.substr(0, path.find(':')))};
  }
  if (key == "uart.baud") {
    return Counterpart{baud_of(tree.text("/chosen", "stdout-path").value_or(""))};
  }
  if (key == "uart.compatible") {
    return Counterpart{first_text(tree.texts(uart, "compatible"))};
  }
  if (key == "uart.address") {
    return Counterpart{nth_reg(tree, uart, 0)};
  }
  if (key == "uart.reg_shift") {
    return Counterpart{one_cell(tree.cells(uart, "reg-shift"))};
  }
  if (key == "uart.reg_io_width") {
    return Counterpart{one_cell(tree.cells(uart, "reg-io-width"))};
  }
  if (key == "uart.interrupt") {
    // Three cells of a GIC: 0 for an SPI, its number, flags (Documentation/devicetree/bindings, arm,gic.yaml).
    const auto interrupt = tree.cells(uart, "interrupts");
    return Counterpart{interrupt.size() == 3 && interrupt[0] == 0
                           ? std::optional<FactValue>(std::uint64_t{interrupt[1]})
                           : std::nullopt};
  }
  if (key == "gic.path") {
    return Counterpart{tree.has(gic) ? std::optional<FactValue>(gic) : std::nullopt};
  }
  if (key == "gic.compatible") {
    return Counterpart{first_text(tree.texts(gic, "compatible"))};
  }
  static constexpr std::string_view kParts[] = {"gic.distributor", "gic.cpu_interface", "gic.hypervisor_interface",
                                                "gic.virtual_cpu_interface"};
  for (std::size_t n = 0; n < std::size(kParts); ++n) {
    if (key == kParts[n]) {
      return Counterpart{nth_reg(tree, gic, n)};
    }
  }
  return std::nullopt;
}

/// A list agrees when the tree has all of it: the profile of a SoC names less than the tree of a board.
bool agree(const FactValue& board, const FactValue& tree) {
  const auto* wanted = std::get_if<std::vector<std::string>>(&board);
  const auto* there = std::get_if<std::vector<std::string>>(&tree);
  if (wanted == nullptr || there == nullptr) {
    return board == tree;
  }
  return std::ranges::all_of(*wanted,
                             [&](const std::string& one) { return std::ranges::find(*there, one) != there->end(); });
}

}  // namespace

std::vector<TreeComparison> compare_tree(const Board& board, const DeviceTree& tree) {
  std::vector<TreeComparison> out;
  for (const FactInfo& info : fact_table()) {
    const Fact* fact = board.fact(info.key);
    if (fact == nullptr || !fact->value) {
      continue;
    }
    if (const auto other = counterpart(info.key, board, tree)) {
      out.push_back({info.key, format_fact(info.type, *fact->value),
                     other->value ? format_fact(info.type, *other->value) : "",
                     other->value && agree(*fact->value, *other->value)});
    }
  }
  return out;
}

}  // namespace xstack
