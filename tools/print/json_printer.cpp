// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/text.h"
#include "tools/print/json_parts.h"
#include "tools/print/printer.h"

namespace xstack {
namespace {

using namespace json_parts;

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
  if (vcpu.doing) {
    out["doing"] = doing(*vcpu.doing);
  }
  if (vcpu.end || !vcpu.frames.empty()) {
    out["frames"] = Json::array();
    for (const auto& frame : vcpu.frames) {
      out["frames"].push_back(json_parts::frame(frame));
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
    out["guest"] = json_parts::guest(report.guest);
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
    return dump(out);
  }
};

}  // namespace

std::unique_ptr<Printer> make_json_printer() {
  return std::make_unique<JsonPrinter>();
}

}  // namespace xstack
