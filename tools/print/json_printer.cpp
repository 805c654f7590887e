// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/text.h"
#include "tools/print/printer.h"

namespace xstack {
namespace {

using Json = nlohmann::ordered_json;

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

const char* presence_name(VcpuPresence presence) {
  switch (presence) {
    case VcpuPresence::online:
      return "online";
    case VcpuPresence::offline:
      return "offline";
    case VcpuPresence::never_up:
      return "never-up";
    case VcpuPresence::unavailable:
      return "unavailable";
  }
  return "?";
}

Json guest_json(const GuestReport& guest) {
  Json out;
  const auto& identity = guest.identity;
  put(out, "name", identity.name);
  if (identity.domid) {
    out["domid"] = *identity.domid;
  }
  put(out, "uuid", identity.uuid);
  out["source"] = escape(identity.source);
  out["type"] = type_name(identity.type);
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
  return out;
}

Json frame_json(const NamedFrame& frame) {
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

Json names_json(const std::vector<WordName>& names) {
  Json out = Json::array();
  for (const auto& name : names) {
    Json one;
    one["index"] = name.index;
    one["symbol"] = escape(name.symbol);
    one["offset"] = hex(name.offset);
    if (name.size) {
      one["size"] = hex(*name.size);
    }
    one["module"] = name.module ? Json(escape(*name.module)) : Json(nullptr);
    out.push_back(std::move(one));
  }
  return out;
}

Json stack_json(const StackDump& stack) {
  Json out;
  out["from"] = hex(stack.from.value);
  out["word_size"] = stack.word_size;
  out["words"] = Json::array();
  for (const std::uint64_t word : stack.words) {
    out["words"].push_back(hex(word));
  }
  if (!stack.names.empty()) {
    out["names"] = names_json(stack.names);
  }
  put(out, "ended", stack.ended);
  return out;
}

Json memory_json(const MemoryDump& memory) {
  Json out;
  out["from"] = hex(memory.from.value);
  std::string bytes;
  for (const std::byte b : memory.bytes) {
    bytes += fmt::format("{:02x}", static_cast<unsigned>(b));
  }
  out["bytes"] = bytes;
  if (!memory.names.empty()) {
    out["names"] = names_json(memory.names);
  }
  put(out, "ended", memory.ended);
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

Json vcpu_json(const VcpuReport& vcpu) {
  Json out;
  out["id"] = vcpu.id;
  out["online"] = vcpu.presence == VcpuPresence::online;
  out["presence"] = presence_name(vcpu.presence);
  put(out, "no_registers", vcpu.absent_why);
  if (vcpu.cpu) {
    put_cpu(out, *vcpu.cpu);
  }
  if (vcpu.task_pid) {
    out["task"]["pid"] = *vcpu.task_pid;
  }
  if (vcpu.task_comm) {
    out["task"]["comm"] = escape(*vcpu.task_comm);
  }
  if (vcpu.end || !vcpu.frames.empty()) {
    out["frames"] = Json::array();
    for (const auto& frame : vcpu.frames) {
      out["frames"].push_back(frame_json(frame));
    }
  }
  if (vcpu.end) {
    put_end(out, *vcpu.end);
  }
  if (vcpu.stack) {
    out["stack"] = stack_json(*vcpu.stack);
  }
  // A program has no -v to ask for more with: notes are told with the warnings.
  out["warnings"] = strings(vcpu.warnings);
  if (vcpu.cpu) {
    for (const auto& note : vcpu.cpu->notes) {
      out["warnings"].push_back(escape(note));
    }
  }
  return out;
}

class JsonPrinter final : public Printer {
 public:
  [[nodiscard]] std::string print(const Report& report) const override {
    Json out;
    out["xstack"] = 1;
    out["guest"] = guest_json(report.guest);
    out["vcpus"] = Json::array();
    for (const auto& vcpu : report.vcpus) {
      out["vcpus"].push_back(vcpu_json(vcpu));
    }
    for (const auto& memory : report.memory) {
      out["memory"].push_back(memory_json(memory));
    }
    out["capture"] = Json::object();
    if (report.capture.pause_us) {
      out["capture"]["pause_us"] = *report.capture.pause_us;
    }
    if (report.capture.pages) {
      out["capture"]["pages"] = *report.capture.pages;
    }
    out["capture"]["walk_pages"] = report.capture.walk_pages;
    out["partial"] = report.partial;
    out["warnings"] = strings(report.warnings);
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }
};

}  // namespace

std::unique_ptr<Printer> make_json_printer() {
  return std::make_unique<JsonPrinter>();
}

}  // namespace xstack
