// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace xstack {

/// What kind of value a fact has, and how a board file writes it.
enum class FactType : std::uint8_t {
  text,       ///< "serial0"
  texts,      ///< ["a", "b"]
  address,    ///< "0x40000000": of the machine, or of a domU for domu.*, or of a kernel for linux.kernel_start*
  addresses,  ///< ["0x40000000"]
  size,       ///< "512M", "1G", "0x8000": bytes
  sizes,      ///< ["1G", "2G"]
  count,      ///< 2
  flag,       ///< true
};

/// One thing that a profile can say. The table is the single list of them: loading, showing and the schema's test
/// follow it.
struct FactInfo {
  const char* key;
  FactType type;
  const char* section;  ///< heading under which it is shown
  const char* label;
};

/// All of them, in the order in which they are shown.
[[nodiscard]] std::span<const FactInfo> fact_table();
[[nodiscard]] const FactInfo* find_fact(std::string_view key);
[[nodiscard]] const char* to_string(FactType type);

using FactValue = std::variant<std::string, std::vector<std::string>, std::uint64_t, std::vector<std::uint64_t>, bool>;

/// A value with where it was read, or the reason why there is none.
struct Fact {
  std::optional<FactValue> value;
  std::string source;  ///< of the value; foreign text when the file is
  std::string absent;  ///< why there is no value; empty when there is one
  std::string file;    ///< the name of the profile or part that says so
};

/// "512M", "1G", "16K", "0x8000", "4096": bytes.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
/// The shortest of these that is exact: "1G", "96M", "16K", "0x123".
[[nodiscard]] std::string format_size(std::uint64_t bytes);

/// A value as people read it: lists with commas between, addresses with eight digits at least.
[[nodiscard]] std::string format_fact(FactType type, const FactValue& value);

}  // namespace xstack
