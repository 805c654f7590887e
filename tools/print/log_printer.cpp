// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/print/log_printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace xstack {
namespace {

constexpr std::array<const char*, 8> kLevels = {"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"};
constexpr std::array<const char*, 12> kFacilities = {"kern", "user", "mail", "daemon", "auth",     "syslog",
                                                     "lpr",  "news", "uucp", "cron",   "authpriv", "ftp"};
constexpr std::uint64_t kNanoseconds = 1'000'000'000;

std::string facility_name(unsigned facility) {
  if (facility < kFacilities.size()) {
    return kFacilities.at(facility);
  }
  return facility >= 16 && facility < 24 ? fmt::format("local{}", facility - 16) : fmt::format("{}", facility);
}

std::optional<unsigned> parse_level(std::string_view name) {
  if (name.size() == 1 && name[0] >= '0' && name[0] <= '7') {
    return static_cast<unsigned>(name[0] - '0');
  }
  const auto* it = std::ranges::find(kLevels, name, [](const char* known) { return std::string_view(known); });
  return it == kLevels.end() ? std::nullopt : std::optional(static_cast<unsigned>(it - kLevels.begin()));
}

bool shown(const LogRecord& record, const LogView& view) {
  return (view.levels >> (record.level & 7U) & 1U) != 0;
}

std::string prefix(const LogRecord& record, const LogView& view) {
  std::string out;
  if (view.decode) {
    out = fmt::format("{:<6}:{:<6}: ", facility_name(record.facility), level_name(record.level));
  } else if (view.raw) {
    out = fmt::format("<{}>", record.facility << 3 | record.level);
  }
  return out + fmt::format("[{:>5}.{:06}] ", record.time_ns / kNanoseconds, record.time_ns % kNanoseconds / 1000);
}

}  // namespace

const char* level_name(unsigned level) {
  return kLevels.at(level & 7U);
}

std::optional<std::uint8_t> parse_levels(std::string_view text) {
  unsigned levels = 0;
  while (true) {
    std::string_view name = text.substr(0, text.find(','));
    const bool graver = name.ends_with('+');
    const bool lesser = name.starts_with('+');
    name.remove_suffix(graver ? 1 : 0);
    name.remove_prefix(lesser && !name.empty() ? 1 : 0);
    const auto level = parse_level(name);
    if (!level || (graver && lesser)) {
      return std::nullopt;
    }
    const unsigned bit = 1U << *level;
    levels |= graver ? bit | (bit - 1) : lesser ? ~(bit - 1) : bit;
    if (text.find(',') == std::string_view::npos) {
      return static_cast<std::uint8_t>(levels & 0xffU);
    }
    text.remove_prefix(text.find(',') + 1);
  }
}

std::string print_log(const KernelLog& log, const LogView& view) {
  std::string out;
  for (const LogRecord& record : log.records) {
    if (!shown(record, view)) {
      continue;
    }
    const std::string before = prefix(record, view);
    std::string_view text = record.text;
    if (record.joined && out.ends_with('\n')) {
      out.pop_back();
    } else {
      out += before;
    }
    while (true) {
      const std::size_t end = text.find('\n');
      out += escape_line(text.substr(0, end));
      out += '\n';
      if (end == std::string_view::npos) {
        break;
      }
      text.remove_prefix(end + 1);
      out += before;
    }
  }
  return out;
}

std::string print_log_json(const KernelLog& log, const LogView& view) {
  std::string out;
  for (const LogRecord& record : log.records) {
    if (!shown(record, view)) {
      continue;
    }
    nlohmann::ordered_json object;
    if (record.seq) {
      object["seq"] = *record.seq;
    }
    object["time_ns"] = record.time_ns;
    object["level"] = level_name(record.level);
    object["facility"] = facility_name(record.facility);
    if (record.cpu) {
      object["cpu"] = *record.cpu;
    }
    if (record.tid) {
      object["tid"] = *record.tid;
    }
    const auto put = [&](const char* key, const std::optional<std::string>& value) {
      if (value) {
        object[key] = escape(*value);
      }
    };
    put("comm", record.comm);
    put("subsystem", record.subsystem);
    put("device", record.device);
    if (record.joined) {
      object["joined"] = true;
    }
    object["text"] = escape(record.text);
    out += object.dump();
    out += '\n';
  }
  return out;
}

}  // namespace xstack
