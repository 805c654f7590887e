// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/report.h"

/// What JSON printers share. All text is escaped here.
namespace xstack::json_parts {

using Json = nlohmann::ordered_json;

/// "0x1c": JSON's own numbers do not hold 64 bits.
[[nodiscard]] std::string hex(std::uint64_t value);

[[nodiscard]] Json strings(const std::vector<std::string>& list);

/// Puts `value` under `key` when there is one: what is unknown is absent.
void put(Json& object, const char* key, const std::optional<std::string>& value);

[[nodiscard]] Json guest(const GuestReport& guest);

[[nodiscard]] Json doing(const Doing& doing);

[[nodiscard]] Json frame(const NamedFrame& frame);

/// "mode", "registers" and what belongs to them.
void put_cpu(Json& out, const CpuState& cpu);

/// "ended" and what belongs to it.
void put_end(Json& out, const TraceEnd& end);

/// The text of a whole document.
[[nodiscard]] std::string dump(const Json& document);

}  // namespace xstack::json_parts
