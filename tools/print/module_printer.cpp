// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/print/module_printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tools/system_facts.h"

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

std::string taint_text(std::uint32_t taints) {
  const std::string letters = taint_letters(taints);
  return letters.empty() ? "-" : letters;
}

std::string users_text(const ModuleUse& use) {
  std::string out;
  for (const std::string& user : use.users.value_or(std::vector<std::string>())) {
    out += (out.empty() ? " " : ",") + escape(user);
  }
  return out;
}

std::string without_blanks_at_end(std::string text) {
  text.resize(text.find_last_not_of(' ') + 1);
  return text;
}

}  // namespace

std::string print_modules(const ModuleListReport& report) {
  std::size_t width = 6;
  for (const ModuleReport& one : report.modules) {
    width = std::max(width, escape(one.module.name).size());
  }
  std::string out =
      fmt::format("{:<{}} {:>9} {:<9} {:<18} {:>7}", "Module", width, "Size", "State", "Address", "Symbols");
  const auto any = [&](const auto& has) { return std::any_of(report.modules.begin(), report.modules.end(), has); };
  const bool taints = any([](const ModuleReport& one) { return one.use.taints.has_value(); });
  const bool uses = any([](const ModuleReport& one) { return one.use.references || one.use.users; });
  out += taints ? "  Taints " : "";
  out += *report.unwind_kind != '\0' ? fmt::format("  {:<14}", fmt::format("Unwind ({})", report.unwind_kind)) : "";
  out += uses ? "  Used by" : "";
  out = without_blanks_at_end(std::move(out)) + "\n";
  for (const auto& [module, use, tables, entries] : report.modules) {
    out += fmt::format("{:<{}} {:>9} {:<9} {:<18} {:>7}", escape(module.name), width, or_unknown(module.size),
                       module.state ? state_name(*module.state) : "unknown",
                       has_code(module) ? fmt::format("{:#x}", module.text_begin.value) : "unknown",
                       or_unknown(module.symbols));
    if (taints) {
      out += fmt::format("  {:<7}", use.taints ? taint_text(*use.taints) : "unknown");
    }
    if (*report.unwind_kind != '\0') {
      out += fmt::format("  {:<14}", tables == 0 ? std::string("none") : fmt::format("{} in {}", entries, tables));
    }
    if (uses) {
      out += "  " + or_unknown(use.references) + users_text(use);
    }
    if (module.init_size.value_or(0) != 0) {
      out += fmt::format("  init {} at {:#x}", *module.init_size, module.init_text_begin.value);
    }
    out = without_blanks_at_end(std::move(out)) + "\n";
  }
  for (const std::string& note : report.notes) {
    out += "not known: " + escape(note) + "\n";
  }
  return out;
}

std::string print_modules_json(const ModuleListReport& report) {
  using Json = nlohmann::ordered_json;
  const auto hex = [](std::uint64_t value) { return fmt::format("{:#x}", value); };
  Json list = Json::array();
  for (const auto& [module, use, tables, entries] : report.modules) {
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
    if (use.references) {
      one["references"] = *use.references;
    }
    if (use.users) {
      one["users"] = Json::array();
      for (const std::string& user : *use.users) {
        one["users"].push_back(escape(user));
      }
    }
    if (use.taints) {
      one["taints"] = taint_letters(*use.taints);
    }
    if (*report.unwind_kind != '\0') {
      one["unwind"] = {{"kind", report.unwind_kind}, {"tables", tables}, {"entries", entries}};
    }
    list.push_back(std::move(one));
  }
  const auto texts = [](const std::vector<std::string>& all) {
    Json out = Json::array();
    for (const std::string& text : all) {
      out.push_back(escape(text));
    }
    return out;
  };
  const Json out = {{"xstack", 1},
                    {"modules", list},
                    {"partial", report.partial},
                    {"unknown", texts(report.notes)},
                    {"warnings", texts(report.warnings)}};
  return out.dump(2) + "\n";
}

}  // namespace xstack
