// SPDX-License-Identifier: LGPL-2.1-or-later
#include "boards/board.h"

#include <algorithm>

namespace xstack {
namespace {

template <class T>
const T* value_of(const Board& board, std::string_view key) {
  const Fact* fact = board.fact(key);
  return fact != nullptr && fact->value ? std::get_if<T>(&*fact->value) : nullptr;
}

}  // namespace

const Fact* Board::fact(std::string_view key) const {
  const auto it = facts.find(key);
  return it == facts.end() ? nullptr : &it->second;
}

std::optional<std::uint64_t> Board::number(std::string_view key) const {
  const auto* found = value_of<std::uint64_t>(*this, key);
  return found != nullptr ? std::optional(*found) : std::nullopt;
}

std::optional<std::string> Board::text(std::string_view key) const {
  const auto* found = value_of<std::string>(*this, key);
  return found != nullptr ? std::optional(*found) : std::nullopt;
}

std::vector<std::uint64_t> Board::numbers(std::string_view key) const {
  const auto* found = value_of<std::vector<std::uint64_t>>(*this, key);
  return found != nullptr ? *found : std::vector<std::uint64_t>{};
}

std::vector<std::string> Board::texts(std::string_view key) const {
  const auto* found = value_of<std::vector<std::string>>(*this, key);
  return found != nullptr ? *found : std::vector<std::string>{};
}

std::vector<ConfigRule> config_rules(const Board& board) {
  const auto bit = [](auto value) { return static_cast<std::uint8_t>(1U << static_cast<unsigned>(value)); };
  const auto arch = board.text("soc.arch") == "arm64" ? ConfigArch::arm64 : ConfigArch::arm;
  std::vector<ConfigRule> out;
  for (const BoardRule& rule : board.rules) {
    ConfigRule one{bit(ConfigRole::dom0), bit(arch), rule.weight, rule.want, {}, rule.reason, rule.fact, rule.fix};
    std::ranges::copy_n(rule.options.begin(),
                        static_cast<std::ptrdiff_t>(std::min(rule.options.size(), one.options.size())),
                        one.options.begin());
    one.implied_by = rule.implied_by;
    out.push_back(one);
  }
  return out;
}

bool is_board_name(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  return !name.empty() && name.size() <= kLongest && name.front() != '.' && name.front() != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_+.") == std::string_view::npos;
}

}  // namespace xstack
