// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "tools/crash.h"
#include "tools/print/text.h"

namespace xstack::text {
namespace {

std::string state_text(const DomainState& state) {
  std::string out = to_string(state.run);
  if (state.shutdown_code) {
    out += fmt::format(" (shutdown reason: {})", shutdown_reason(*state.shutdown_code));
  }
  if (state.paused_by_toolstack && state.run != RunState::paused) {
    out += ", paused";
  }
  return out;
}

std::string who(const GuestIdentity& identity) {
  std::string out = identity.name ? escape(*identity.name) : std::string("unnamed guest");
  if (identity.domid) {
    out += fmt::format(" (domid {})", *identity.domid);
  }
  return out;
}

const char* type_text(GuestType type) {
  switch (type) {
    case GuestType::arm:
      return "ARM";
    case GuestType::pv:
      return "PV";
    case GuestType::hvm:
      return "HVM or PVH";
  }
  return "";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) {
    out += (out.empty() ? "" : ", ") + escape(part);
  }
  return out;
}

/// "1d 02:03:04.5"
std::string duration(std::uint64_t ns) {
  const std::uint64_t tenths = ns / 100'000'000;
  const std::uint64_t seconds = tenths / 10;
  return fmt::format("{}{:02}:{:02}:{:02}.{}", seconds >= 86400 ? fmt::format("{}d ", seconds / 86400) : std::string(),
                     seconds / 3600 % 24, seconds / 60 % 60, seconds % 60, tenths % 10);
}

std::string system_lines(const SystemReport& system, const View& view, const Style& style) {
  std::string out;
  const auto line = [&](std::string_view name, const std::string& value, const std::string& by) {
    out += style.name(fmt::format("{:<14}", name)) + value +
           (view.verbose && !by.empty() ? fmt::format(" (by {})", by) : std::string()) + "\n";
  };
  if (system.cpus) {
    line("cpus",
         fmt::format("{}", *system.cpus) +
             (system.cpus_online ? fmt::format(", {} online", *system.cpus_online) : std::string()),
         system.cpus_by);
  }
  if (system.tasks) {
    line("tasks", fmt::format("{}", *system.tasks), "");
  }
  if (system.paging) {
    line("page tables", escape(*system.paging), "");
  }
  if (system.command_line) {
    line("command line", escape(*system.command_line), system.command_line_by);
  }
  if (system.uptime_ns) {
    line("uptime", duration(*system.uptime_ns) + " at the log's last record", "");
  }
  if (system.memory_kib) {
    line("memory", fmt::format("{} KiB", *system.memory_kib), "the log");
  }
  if (system.taint) {
    line("taint", system.taint->empty() ? "not tainted" : joined(*system.taint), system.taint_by);
  }
  for (const std::string& unknown : system.unknown) {
    line("unknown", escape(unknown), "");
  }
  return out;
}

/// "kernel at physical 0x40208000, linked for 0xc0208000 (...)"
std::string image_line(const ImageReport& image) {
  std::string out =
      fmt::format("{} at physical {:#x}", image.kind == "kernel" ? "kernel code" : image.kind, image.begin.value);
  if (image.link) {
    out += fmt::format(", linked for {:#x}", image.link->value);
  }
  out += fmt::format(" ({})", escape(image.how));
  return image.misplaced ? out + "; misplaced: " + *image.misplaced : out;
}

bool is_alarming(const DomainState& state) {
  return state.run == RunState::crashed || state.run == RunState::dying;
}

}  // namespace

std::string doing(const Doing& doing, bool with_how) {
  std::string out = doing.what;
  if (doing.detail) {
    out += ": " + escape(*doing.detail);
  }
  return with_how ? out + fmt::format(" ({})", escape(doing.how)) : out;
}

std::string hypervisor(const GuestReport& guest, const View& view, const Style& style) {
  if (!guest.hypervisor) {
    return view.verbose && guest.no_hypervisor_log ? fmt::format("\nXen's log: {}\n", escape(*guest.no_hypervisor_log))
                                                   : "";
  }
  const HypervisorReport& log = *guest.hypervisor;
  if (log.lines.empty()) {
    return view.verbose ? fmt::format("\nXen's log has no line about this domain ({}).\n", escape(log.source)) : "";
  }
  std::string out = "\n" + style.title("Xen's log about this domain");
  if (log.older > 0) {
    out += fmt::format(", the last {} of {} lines", log.lines.size(), log.lines.size() + log.older);
  }
  out += fmt::format(" ({}):\n", escape(log.source));
  for (const std::string& line : log.lines) {
    out += "  " + escape_line(line) + "\n";
  }
  return out;
}

std::string header(const GuestReport& guest, const View& view, const Style& style) {
  std::string out = style.title(who(guest.identity)) + ": ";
  if (guest.identity.state) {
    const std::string state = state_text(*guest.identity.state);
    out += (is_alarming(*guest.identity.state) ? style.alarm(state) : state) + ", ";
  }
  out += to_string(guest.arch);
  if (guest.identity.xen_version) {
    out += ", Xen " + escape(*guest.identity.xen_version);
  }
  if (guest.identity.source != "live") {
    out += fmt::format(", from a {} file", escape(guest.identity.source));
  }
  out += "\n";
  std::string kernel;
  const auto add = [&](const std::string& part) { kernel += (kernel.empty() ? "" : ", ") + part; };
  if (guest.os) {
    add(escape(*guest.os));
  }
  if (guest.kaslr_offset) {
    add(fmt::format("KASLR offset {:#x}", *guest.kaslr_offset));
  }
  if (!guest.symbols.empty()) {
    add("symbols: " + joined(guest.symbols));
  } else if (view.trace) {
    add("no symbols");
  }
  if (!guest.lines.empty()) {
    add("lines: " + escape(guest.lines.front()) +
        (guest.lines.size() > 1 ? fmt::format(" and {} more", guest.lines.size() - 1) : ""));
  }
  if (guest.module_count) {
    add(fmt::format("{} modules", *guest.module_count));
  }
  if (!kernel.empty()) {
    out += kernel + "\n";
  }
  if (guest.image) {
    out += image_line(*guest.image) + "\n";
  }
  if (guest.crash) {
    out += style.alarm(escape(crash_line(*guest.crash))) + "\n";
  }
  if (guest.doing && !guest.crash) {                       // a crash has said it already
    out += "Doing: " + doing(*guest.doing, false) + "\n";  // each vCPU says how it is known
  }
  if (view.verbose && !guest.arch_why.empty()) {
    out += fmt::format("{}: {}\n", to_string(guest.arch), escape(guest.arch_why));
  }
  return out;
}

std::string info(const Report& report, const View& view, const Style& style) {
  const auto& guest = report.guest;
  const auto& identity = guest.identity;
  std::string out;
  const auto line = [&](std::string_view name, const std::string& value) {
    out += style.name(fmt::format("{:<14}", name)) + value + "\n";
  };
  const auto optional_line = [&](std::string_view name, const std::optional<std::string>& value) {
    if (value) {
      line(name, escape(*value));
    }
  };
  optional_line("name", identity.name);
  if (identity.domid) {
    line("domid", fmt::format("{}", *identity.domid));
  }
  optional_line("uuid", identity.uuid);
  if (identity.state) {
    line("state", state_text(*identity.state));
  }
  line("source", escape(identity.source));
  optional_line("format", identity.format);
  if (!identity.lacks.empty()) {
    line("lacks", joined(identity.lacks));
  }
  if (identity.type_told) {
    line("type", type_text(identity.type));
  }
  line("architecture", guest.arch_why.empty() ? to_string(guest.arch)
                                              : fmt::format("{} ({})", to_string(guest.arch), escape(guest.arch_why)));
  optional_line("xen", identity.xen_version);
  optional_line("capabilities", identity.capabilities);
  optional_line("os", guest.os);
  optional_line("banner", guest.banner);
  optional_line("build-id", guest.build_id);
  if (guest.kaslr_offset) {
    line("kaslr offset", fmt::format("{:#x}", *guest.kaslr_offset));
  }
  if (guest.kernel_start) {
    line("kernel start", fmt::format("{:#x}", guest.kernel_start->value));
  }
  line("symbols", guest.symbols.empty() ? "none" : joined(guest.symbols));
  if (!guest.lines.empty()) {
    line("lines", joined(guest.lines));
  }
  if (guest.module_count) {
    line("modules", fmt::format("{}", *guest.module_count));
  }
  line("vcpus", fmt::format("{}", report.vcpus.size()));
  if (guest.system) {
    out += system_lines(*guest.system, view, style);
  }
  if (guest.image) {
    line("image", image_line(*guest.image));
  }
  if (guest.doing) {
    line("doing", doing(*guest.doing, true));
  }
  if (guest.crash) {
    line("crash", style.alarm(escape(crash_line(*guest.crash))));
  }
  return out;
}

}  // namespace xstack::text
