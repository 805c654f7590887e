// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/print/module_printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace xstack {
namespace {

const char* state_name(unsigned state) {
  switch (state) {
    case 0:
      return "Live";
    case 1:
      return "Loading";
    case 2:
      return "Unloading";
    default:
      return "Unformed";
  }
}

template <class T>
std::string or_unknown(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : std::string("unknown");
}

bool has_code(const KernelModule& module) {
  return module.text_begin != module.text_end;
}

}  // namespace

std::string print_modules(const ModuleListReport& report) {
  std::size_t width = 6;
  for (const ModuleReport& one : report.modules) {
    width = std::max(width, escape(one.module.name).size());
  }
  std::string out =
      fmt::format("{:<{}} {:>9} {:<9} {:<18} {:>7}", "Module", width, "Size", "State", "Address", "Symbols");
  out += *report.unwind_kind != '\0' ? fmt::format("  Unwind ({})\n", report.unwind_kind) : std::string("\n");
  for (const auto& [module, tables, entries] : report.modules) {
    out += fmt::format("{:<{}} {:>9} {:<9} {:<18} {:>7}", escape(module.name), width, or_unknown(module.size),
                       module.state ? state_name(*module.state) : "unknown",
                       has_code(module) ? fmt::format("{:#x}", module.text_begin.value) : "unknown",
                       or_unknown(module.symbols));
    if (*report.unwind_kind != '\0') {
      out += tables == 0 ? std::string("  none") : fmt::format("  {} in {}", entries, tables);
    }
    if (module.init_size.value_or(0) != 0) {
      out += fmt::format("  init {} at {:#x}", *module.init_size, module.init_text_begin.value);
    }
    out += '\n';
  }
  return out;
}

std::string print_modules_json(const ModuleListReport& report) {
  using Json = nlohmann::ordered_json;
  const auto hex = [](std::uint64_t value) { return fmt::format("{:#x}", value); };
  Json list = Json::array();
  for (const auto& [module, tables, entries] : report.modules) {
    Json one;
    one["name"] = escape(module.name);
    one["structure"] = hex(module.structure.value);
    if (has_code(module)) {
      one["address"] = hex(module.text_begin.value);
      one["text_size"] = module.text_end - module.text_begin;
    }
    if (module.size) {
      one["size"] = *module.size;
    }
    if (module.init_size) {
      one["init_size"] = *module.init_size;
    }
    if (module.state) {
      one["state"] = state_name(*module.state);
    }
    if (module.symbols) {
      one["symbols"] = *module.symbols;
    }
    if (*report.unwind_kind != '\0') {
      one["unwind"] = {{"kind", report.unwind_kind}, {"tables", tables}, {"entries", entries}};
    }
    list.push_back(std::move(one));
  }
  Json warnings = Json::array();
  for (const std::string& warning : report.warnings) {
    warnings.push_back(escape(warning));
  }
  const Json out = {{"xstack", 1}, {"modules", list}, {"partial", report.partial}, {"warnings", warnings}};
  return out.dump(2) + "\n";
}

}  // namespace xstack
