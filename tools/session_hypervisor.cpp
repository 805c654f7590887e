// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/session_hypervisor.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "guest/hypervisor_log.h"

namespace xstack {
namespace {

using nlohmann::json;

constexpr const char* kKey = "hypervisor_log";
constexpr std::size_t kMaxFact = 64U << 10;
constexpr std::size_t kMaxLines = 64;
constexpr std::size_t kMaxLine = 1024;

std::optional<std::string> text_of(const json& value) {
  if (!value.is_string() || value.get_ref<const std::string&>().size() > kMaxLine) {
    return std::nullopt;
  }
  return value.get<std::string>();
}

/// A capture is a stranger's: what makes no sense is left out.
std::optional<HypervisorReport> read_fact(const std::map<std::string, std::string>& facts) {
  const auto fact = facts.find(kKey);
  if (fact == facts.end() || fact->second.size() > kMaxFact) {
    return std::nullopt;
  }
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= 4; };
  const json object = json::parse(fact->second, shallow, false);
  if (!object.is_object() || !object.contains("lines") || !object["lines"].is_array() || !object.contains("source")) {
    return std::nullopt;
  }
  HypervisorReport report;
  const auto source = text_of(object["source"]);
  if (!source) {
    return std::nullopt;
  }
  report.source = *source;
  for (const json& line : object["lines"]) {
    if (auto text = text_of(line); text && report.lines.size() < kMaxLines) {
      report.lines.push_back(std::move(*text));
    }
  }
  if (const auto older = object.find("older"); older != object.end() && older->is_number_unsigned()) {
    report.older = older->get<std::uint64_t>();
  }
  return report;
}

}  // namespace

void tell_hypervisor_log(Guest& guest, GuestReport& report) {
  if (auto* source = dynamic_cast<HypervisorLogSource*>(&guest)) {
    if (auto log = source->hypervisor_log()) {
      report.hypervisor = HypervisorReport{std::move(log->lines), log->older, std::move(log->source)};
    } else {
      report.no_hypervisor_log = log.error().message;
    }
    return;
  }
  report.hypervisor = read_fact(guest.facts());
  if (!report.hypervisor) {
    report.no_hypervisor_log = "this file does not hold the hypervisor's log";
  }
}

std::map<std::string, std::string> hypervisor_facts(const GuestReport& report) {
  if (!report.hypervisor) {
    return {};
  }
  const json object = {
      {"lines", report.hypervisor->lines}, {"older", report.hypervisor->older}, {"source", report.hypervisor->source}};
  return {{kKey, object.dump(-1, ' ', false, json::error_handler_t::replace)}};
}

}  // namespace xstack
