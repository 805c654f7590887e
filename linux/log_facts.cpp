// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/log_facts.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

namespace xstack {
namespace {

using nlohmann::json;

constexpr const char* kKey = "log";
constexpr std::size_t kKeptText = 512U << 10;
constexpr std::size_t kMaxFact = 8U << 20;
constexpr std::size_t kMaxRecords = 65536;
constexpr std::size_t kMaxShort = 256;
constexpr std::size_t kMaxLine = 65536;
constexpr int kMaxDepth = 4;

/// JSON holds Unicode, a log holds bytes: each byte becomes the code point of its value.
std::string widened(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (const char c : bytes) {
    const auto value = static_cast<unsigned char>(c);
    if (value < 0x80) {
      out.push_back(c);
    } else {
      out.push_back(static_cast<char>(0xc0U | (value >> 6)));
      out.push_back(static_cast<char>(0x80U | (value & 0x3fU)));
    }
  }
  return out;
}

std::optional<std::string> narrowed(std::string_view text, std::size_t limit) {
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() <= limit; ++i) {
    const auto value = static_cast<unsigned char>(text[i]);
    if (value < 0x80) {
      out.push_back(text[i]);
    } else if ((value == 0xc2 || value == 0xc3) && i + 1 < text.size()) {
      out.push_back(static_cast<char>(((value & 3U) << 6) | (static_cast<unsigned char>(text[++i]) & 0x3fU)));
    } else {
      return std::nullopt;
    }
  }
  return out.size() <= limit ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::uint64_t> number(const json& object, const char* key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_number_unsigned() ? std::optional(member->get<std::uint64_t>())
                                                                : std::nullopt;
}

std::optional<std::string> text(const json& object, const char* key, std::size_t limit) {
  const auto member = object.find(key);
  return member != object.end() && member->is_string() ? narrowed(member->get_ref<const std::string&>(), limit)
                                                       : std::nullopt;
}

json write_record(const LogRecord& record) {
  json object = {{"t", record.time_ns}, {"p", record.facility << 3 | record.level}, {"x", widened(record.text)}};
  const auto put = [&](const char* key, const auto& value) {
    if (value) {
      object[key] = *value;
    }
  };
  const auto put_text = [&](const char* key, const std::optional<std::string>& value) {
    if (value) {
      object[key] = widened(*value);
    }
  };
  put("q", record.seq);
  put("c", record.cpu);
  put("i", record.tid);
  put_text("m", record.comm);
  put_text("s", record.subsystem);
  put_text("d", record.device);
  if (record.joined) {
    object["j"] = 1U;
  }
  return object;
}

std::optional<LogRecord> read_record(const json& object) {
  if (!object.is_object()) {
    return std::nullopt;
  }
  const auto time = number(object, "t");
  const auto priority = number(object, "p");
  auto line = text(object, "x", kMaxLine);
  if (!time || !priority || *priority > 0x7ff || !line) {
    return std::nullopt;
  }
  LogRecord record;
  record.time_ns = *time;
  record.level = *priority & 7U;
  record.facility = static_cast<unsigned>(*priority >> 3);
  record.text = std::move(*line);
  record.seq = number(object, "q");
  const auto id = [&](const char* key) -> std::optional<std::uint32_t> {
    const auto value = number(object, key);
    return value && *value <= 0xffffffffU ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
  };
  record.cpu = id("c");
  record.tid = id("i");
  record.comm = text(object, "m", kMaxShort);
  record.subsystem = text(object, "s", kMaxShort);
  record.device = text(object, "d", kMaxShort);
  record.joined = number(object, "j").has_value();
  return record;
}

}  // namespace

std::map<std::string, std::string> write_log_facts(const KernelLog& log) {
  std::size_t bytes = 0;
  std::size_t first = log.records.size();
  while (first > 0 && bytes + log.records[first - 1].text.size() <= kKeptText &&
         log.records.size() - first < kMaxRecords) {
    bytes += log.records[--first].text.size() + 1;
  }
  json records = json::array();
  for (std::size_t i = first; i < log.records.size(); ++i) {
    records.push_back(write_record(log.records[i]));
  }
  json object = {{"records", std::move(records)},
                 {"found_by", widened(log.found_by)},
                 {"unfinished", log.unfinished},
                 {"unreadable", log.unreadable}};
  if (first != 0) {
    object["left_out"] = first;
  } else if (log.lost) {
    object["lost"] = *log.lost;
  }
  return {{kKey, object.dump()}};
}

std::optional<KernelLog> read_log_facts(const std::map<std::string, std::string>& facts) {
  const auto entry = facts.find(kKey);
  if (entry == facts.end() || entry->second.size() > kMaxFact) {
    return std::nullopt;
  }
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kMaxDepth; };
  const json object = json::parse(entry->second, shallow, false);
  const auto records = object.is_object() ? object.find("records") : object.end();
  if (!object.is_object() || records == object.end() || !records->is_array() || records->size() > kMaxRecords) {
    return std::nullopt;
  }
  KernelLog log;
  for (const json& item : *records) {
    if (auto record = read_record(item)) {
      log.records.push_back(std::move(*record));
    }
  }
  log.found_by = text(object, "found_by", kMaxShort).value_or("the capture");
  log.lost = number(object, "lost");
  log.unfinished = number(object, "unfinished").value_or(0);
  log.unreadable = number(object, "unreadable").value_or(0);
  if (const auto left_out = number(object, "left_out")) {
    log.warnings.push_back(
        fmt::format("the capture holds the newest records alone: {} older ones are left out", *left_out));
  }
  if (log.records.size() != records->size()) {
    log.warnings.emplace_back("the capture's log is damaged: some records are left out");
  }
  return log;
}

}  // namespace xstack
