// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/print/json_parts.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tools/crash.h"

namespace xstack::json_parts {
namespace {

const char* type_name(GuestType type) {
  switch (type) {
    case GuestType::arm:
      return "arm";
    case GuestType::pv:
      return "pv";
    case GuestType::hvm:
      return "hvm";
  }
  return "?";
}

}  // namespace

std::string hex(std::uint64_t value) {
  return fmt::format("{:#x}", value);
}

Json strings(const std::vector<std::string>& list) {
  Json out = Json::array();
  for (const auto& text : list) {
    out.push_back(escape(text));
  }
  return out;
}

/// Puts `value` under `key` when there is one: what is unknown is absent.
void put(Json& object, const char* key, const std::optional<std::string>& value) {
  if (value) {
    object[key] = escape(*value);
  }
}

namespace {

Json crash_json(const CrashReport& crash) {
  Json out;
  out["kind"] = crash.kind;
  out["summary"] = escape(crash_line(crash));
  out["message"] = escape(crash.message);
  put(out, "cause", crash.cause);
  put(out, "function", crash.function);
  put(out, "module", crash.module);
  const auto number = [&](const char* key, const auto& value) {
    if (value) {
      out[key] = *value;
    }
  };
  number("vcpu", crash.vcpu);
  number("cpu", crash.cpu);
  number("pid", crash.pid);
  put(out, "comm", crash.comm);
  return out;
}

Json image_json(const ImageReport& image) {
  Json out;
  out["kind"] = image.kind;
  out["begin"] = hex(image.begin.value);
  if (image.link) {
    out["link"] = hex(image.link->value);
  }
  out["how"] = escape(image.how);
  put(out, "misplaced", image.misplaced);
  return out;
}

Json system_json(const SystemReport& system) {
  Json out = Json::object();
  put(out, "page_tables", system.paging);
  put(out, "command_line", system.command_line);
  if (system.command_line) {
    out["command_line_by"] = system.command_line_by;
  }
  if (system.uptime_ns) {
    out["uptime_ns"] = *system.uptime_ns;
  }
  if (system.memory_kib) {
    out["memory_kib"] = *system.memory_kib;
  }
  if (system.taint) {
    out["taint"] = strings(*system.taint);
    out["taint_by"] = system.taint_by;
  }
  if (system.tasks) {
    out["tasks"] = *system.tasks;
  }
  if (system.cpus) {
    out["cpus"] = *system.cpus;
    out["cpus_by"] = escape(system.cpus_by);
  }
  if (system.cpus_online) {
    out["cpus_online"] = *system.cpus_online;
  }
  out["unknown"] = strings(system.unknown);
  return out;
}

}  // namespace

Json doing(const Doing& doing) {
  Json out;
  out["what"] = doing.what;
  put(out, "detail", doing.detail);
  out["how"] = escape(doing.how);
  return out;
}

Json guest(const GuestReport& guest) {
  Json out;
  const auto& identity = guest.identity;
  put(out, "name", identity.name);
  if (identity.domid) {
    out["domid"] = *identity.domid;
  }
  put(out, "uuid", identity.uuid);
  out["source"] = escape(identity.source);
  if (identity.type_told) {
    out["type"] = type_name(identity.type);
  }
  put(out, "format", identity.format);
  if (!identity.lacks.empty()) {
    out["lacks"] = strings(identity.lacks);
  }
  out["arch"] = to_string(guest.arch);
  if (!guest.arch_why.empty()) {
    out["arch_why"] = escape(guest.arch_why);
  }
  if (identity.state) {
    out["state"] = to_string(identity.state->run);
    if (identity.state->shutdown_code) {
      out["shutdown_reason"] = shutdown_reason(*identity.state->shutdown_code);
    }
    out["paused_by_toolstack"] = identity.state->paused_by_toolstack;
  }
  put(out, "xen_version", identity.xen_version);
  put(out, "capabilities", identity.capabilities);
  put(out, "os", guest.os);
  put(out, "banner", guest.banner);
  put(out, "build_id", guest.build_id);
  if (guest.kaslr_offset) {
    out["kaslr_offset"] = hex(*guest.kaslr_offset);
  }
  if (guest.kernel_start) {
    out["kernel_start"] = hex(guest.kernel_start->value);
  }
  out["symbols"] = strings(guest.symbols);
  if (!guest.lines.empty()) {
    out["lines"] = strings(guest.lines);
  }
  if (guest.module_count) {
    out["modules"] = *guest.module_count;
  }
  if (guest.system) {
    out["system"] = system_json(*guest.system);
  }
  if (guest.crash) {
    out["crash"] = crash_json(*guest.crash);
  }
  if (guest.doing) {
    out["doing"] = doing(*guest.doing);
  }
  if (guest.image) {
    out["image"] = image_json(*guest.image);
  }
  if (guest.hypervisor) {
    Json log;
    log["lines"] = strings(guest.hypervisor->lines);
    log["older"] = guest.hypervisor->older;
    log["source"] = escape(guest.hypervisor->source);
    out["hypervisor_log"] = std::move(log);
  }
  put(out, "no_hypervisor_log", guest.no_hypervisor_log);
  return out;
}

Json frame(const NamedFrame& frame) {
  Json out;
  out["pc"] = hex(frame.pc.value);
  if (frame.sp) {
    out["sp"] = hex(frame.sp->value);
  }
  out["found_by"] = to_string(frame.found_by);
  if (frame.symbol) {
    out["symbol"] = escape(*frame.symbol);
    if (frame.found_by != FoundBy::inlined) {
      out["offset"] = hex(frame.offset);
    }
    if (frame.size) {
      out["size"] = hex(*frame.size);
    }
    out["module"] = frame.module ? Json(escape(*frame.module)) : Json(nullptr);
  }
  put(out, "file", frame.file);
  if (frame.line) {
    out["line"] = *frame.line;
  }
  put(out, "stack", frame.stack);
  out["inlined"] = frame.found_by == FoundBy::inlined;
  return out;
}

void put_cpu(Json& out, const CpuState& cpu) {
  out["mode"] = escape(cpu.mode);
  out["user_mode"] = cpu.user;
  if (cpu.current_bank != nullptr) {
    out["bank"] = cpu.current_bank;
  }
  Json registers = Json::object();
  if (cpu.arch != nullptr) {
    out["word_size"] = cpu.arch->word_size;
    for (std::size_t i = 0; i < cpu.arch->registers.size(); ++i) {
      if (const auto value = cpu.regs.get(static_cast<RegisterIndex>(i))) {
        registers[cpu.arch->registers[i].name] = hex(*value);
      }
    }
  }
  out["registers"] = std::move(registers);
}

void put_end(Json& out, const TraceEnd& end) {
  out["ended"] = to_string(end.reason);
  if (!end.detail.empty()) {
    out["ended_detail"] = escape(end.detail);
  }
  if (end.user) {
    out["user"]["pc"] = hex(end.user->pc.value);
    if (end.user->sp) {
      out["user"]["sp"] = hex(end.user->sp->value);
    }
  }
}

std::string dump(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace xstack::json_parts
