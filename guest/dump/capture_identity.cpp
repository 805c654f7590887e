// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/capture_identity.h"

#include <array>
#include <nlohmann/json.hpp>

namespace xstack {
namespace {

using nlohmann::json;

constexpr std::array kTypes = {std::pair{GuestType::arm, "arm"}, std::pair{GuestType::pv, "pv"},
                               std::pair{GuestType::hvm, "hvm"}};
constexpr std::array kRunStates = {RunState::running,  RunState::blocked, RunState::paused,
                                   RunState::shutdown, RunState::crashed, RunState::dying};

std::optional<std::string> text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) {
    return std::nullopt;
  }
  return found->get<std::string>();
}

std::optional<std::uint32_t> number_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned() || found->get<std::uint64_t>() > UINT32_MAX) {
    return std::nullopt;
  }
  return found->get<std::uint32_t>();
}

}  // namespace

std::string identity_to_json(const GuestIdentity& identity) {
  json object = json::object();
  object["taken_from"] = identity.source;
  for (const auto& [type, name] : kTypes) {
    if (type == identity.type) {
      object["type"] = name;
    }
  }
  if (!identity.type_told) {
    object["type_told"] = false;
  }
  const auto put = [&](const char* key, const auto& value) {
    if (value) {
      object[key] = *value;
    }
  };
  put("name", identity.name);
  put("domid", identity.domid);
  put("uuid", identity.uuid);
  put("xen_version", identity.xen_version);
  put("capabilities", identity.capabilities);
  if (identity.state) {
    json& state = object["state"];
    state["run"] = to_string(identity.state->run);
    state["paused_by_toolstack"] = identity.state->paused_by_toolstack;
    if (identity.state->shutdown_code) {
      state["shutdown_code"] = *identity.state->shutdown_code;
    }
  }
  // A domain's name is whatever bytes its toolstack gave it; JSON is UTF-8.
  return object.dump(2, ' ', false, json::error_handler_t::replace);
}

Result<GuestIdentity> identity_from_json(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) {
    return fail(Errc::bad_format, "the capture does not say which guest it is of");
  }
  GuestIdentity identity;
  identity.source = "capture";
  const auto type = text_of(object, "type");
  bool known = false;
  for (const auto& [value, name] : kTypes) {
    if (type == name) {
      identity.type = value;
      known = true;
    }
  }
  if (!known) {
    return fail(Errc::bad_format, "the capture does not say of which type its guest is");
  }
  const auto told = object.find("type_told");
  identity.type_told = told == object.end() || !told->is_boolean() || told->get<bool>();
  identity.name = text_of(object, "name");
  identity.domid = number_of(object, "domid");
  identity.uuid = text_of(object, "uuid");
  identity.xen_version = text_of(object, "xen_version");
  identity.capabilities = text_of(object, "capabilities");
  if (const auto state = object.find("state"); state != object.end() && state->is_object()) {
    const auto run = text_of(*state, "run");
    for (const RunState value : kRunStates) {
      if (run == to_string(value)) {
        identity.state.emplace().run = value;
      }
    }
    if (identity.state) {
      identity.state->shutdown_code = number_of(*state, "shutdown_code");
      const auto paused = state->find("paused_by_toolstack");
      identity.state->paused_by_toolstack = paused != state->end() && paused->is_boolean() && paused->get<bool>();
    }
  }
  return identity;
}

}  // namespace xstack
