// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/print/board_printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/text.h"

namespace xstack {
namespace {

using Json = nlohmann::ordered_json;

std::string shown(const Board& board, const char* key) {
  const Fact* fact = board.fact(key);
  const FactInfo* info = find_fact(key);
  return fact != nullptr && fact->value && info != nullptr ? escape(format_fact(info->type, *fact->value)) : "?";
}

std::string joined(const std::vector<std::string>& all) {
  std::string out;
  for (const std::string& one : all) {
    out += fmt::format("{}{}", out.empty() ? "" : ", ", escape(one));
  }
  return out;
}

void append_fact(std::string& out, const FactInfo& info, const Fact& fact) {
  if (!fact.value) {
    out += fmt::format("  {:<22}unknown: {}\n", info.label, escape(fact.absent));
    return;
  }
  if (const auto* list = std::get_if<std::vector<std::string>>(&*fact.value)) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      out += fmt::format("  {:<22}{}\n", i == 0 ? info.label : "", escape((*list)[i]));
    }
  } else {
    out += fmt::format("  {:<22}{}\n", info.label, escape(format_fact(info.type, *fact.value)));
  }
  out += fmt::format("{:24}[{}]\n", "", escape(fact.source));
}

Json value_json(const FactInfo& info, const FactValue& value) {
  const auto number = [&](std::uint64_t one) {
    return info.type == FactType::count ? Json(one) : Json(fmt::format("{:#x}", one));
  };
  if (const auto* one = std::get_if<std::uint64_t>(&value)) {
    return number(*one);
  }
  if (const auto* yes = std::get_if<bool>(&value)) {
    return *yes;
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return escape(*text);
  }
  Json out = Json::array();
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    for (const std::string& one : *texts) {
      out.push_back(escape(one));
    }
  } else {
    for (const std::uint64_t one : std::get<std::vector<std::uint64_t>>(value)) {
      out.push_back(number(one));
    }
  }
  return out;
}

Json rule_json(const BoardRule& rule) {
  Json out;
  out["one_of"] = rule.options;
  out["weight"] = to_string(rule.weight);
  out["wanted"] = to_string(rule.want);
  out["reason"] = escape(rule.reason);
  out["fact"] = escape(rule.fact);
  return out;
}

}  // namespace

std::string print_boards(std::span<const BoardEntry> boards) {
  std::size_t widest = 4;
  for (const BoardEntry& entry : boards) {
    widest = std::max(widest, entry.name.size());
  }
  std::string out = fmt::format("{:<{}}  {:<22}  {:>5}  {:<6}  {}\n", "NAME", widest, "SOC", "CORES", "RAM", "BOARD");
  for (const BoardEntry& entry : boards) {
    if (!entry.board) {
      out += fmt::format("{:<{}}  {}\n", entry.name, widest, escape(entry.board.error().message));
      continue;
    }
    const Board& board = *entry.board;
    const bool users = entry.origin.starts_with('/');
    out += fmt::format("{:<{}}  {:<22}  {:>5}  {:<6}  {}{}\n", entry.name, widest, shown(board, "soc.name"),
                       shown(board, "cpu.count"), shown(board, "ram.sizes"), escape(board.title),
                       users ? fmt::format(" ({})", escape(entry.origin)) : "");
  }
  return out;
}

std::string print_board(const Board& board) {
  std::string out = fmt::format("{}: {}\n", board.name, escape(board.title));
  out += fmt::format("from: {}{}{}\n", escape(board.origin), board.parts.empty() ? "" : "; includes ",
                     joined(board.parts));
  out +=
      "This is of the machine, of Xen on it, and of dom0, which sees the machine's addresses. A domU does not: its\n"
      "memory map is Xen's own, the same on every board, at the end. What a guest's memory shows wins over all of "
      "it.\n";
  std::string_view section;
  for (const FactInfo& info : fact_table()) {
    const Fact* fact = board.fact(info.key);
    if (fact == nullptr) {
      continue;
    }
    if (section != info.section) {
      section = info.section;
      out += fmt::format("\n{}\n", section);
    }
    append_fact(out, info, *fact);
  }
  if (!board.rules.empty()) {
    out += "\nwhat dom0's kernel needs here, for check-config --board\n";
  }
  for (const BoardRule& rule : board.rules) {
    std::string names;
    for (const std::string& option : rule.options) {
      names += fmt::format("{}CONFIG_{}", names.empty() ? "" : " or ", option);
    }
    out += fmt::format("  {:<12}{}: {}\n{:14}{}\n{:14}[{}]\n", to_string(rule.weight), names, to_string(rule.want), "",
                       escape(rule.reason), "", escape(rule.fact));
  }
  return out;
}

std::string print_boards_json(std::span<const BoardEntry> boards) {
  Json out;
  out["xstack"] = 1;
  out["boards"] = Json::array();
  for (const BoardEntry& entry : boards) {
    Json one;
    one["name"] = entry.name;
    one["origin"] = escape(entry.origin);
    if (!entry.board) {
      one["error"] = escape(entry.board.error().message);
      out["boards"].push_back(std::move(one));
      continue;
    }
    one["title"] = escape(entry.board->title);
    for (const auto& [member, key] :
         {std::pair{"soc", "soc.name"}, std::pair{"cores", "cpu.count"}, std::pair{"ram", "ram.sizes"}}) {
      const Fact* fact = entry.board->fact(key);
      if (fact != nullptr && fact->value) {
        one[member] = value_json(*find_fact(key), *fact->value);
      }
    }
    out["boards"].push_back(std::move(one));
  }
  return out.dump(2) + "\n";
}

std::string print_boot_json(const BootPlan& plan) {
  const auto hex = [](std::uint64_t value) { return fmt::format("{:#x}", value); };
  const auto item = [&](const BootItem& one) {
    Json out;
    out["what"] = one.what;
    if (!one.name.empty()) {
      out["name"] = one.name;
    }
    out["address"] = hex(one.address);
    out["bytes"] = hex(one.bytes);
    if (!one.assumed) {
      out["file_bytes"] = hex(one.file_bytes);
    }
    out["room"] = hex(one.room);
    return out;
  };
  Json out;
  out["xstack"] = 1;
  out["board"] = plan.board;
  out["ram"] = {{"begin", hex(plan.ram.begin)}, {"end", hex(plan.ram.end)}, {"known_by", plan.ram_why}};
  out["loaded"] = {item(plan.xen), item(plan.tree), item(plan.kernel)};
  if (plan.initrd) {
    out["loaded"].push_back(item(*plan.initrd));
  }
  out["kept_free"] = Json::array();
  for (const Area& area : plan.kept) {
    out["kept_free"].push_back({{"begin", hex(area.begin)}, {"end", hex(area.end)}, {"why", escape(area.what)}});
  }
  out["xen_bootargs"] = plan.xen_bootargs;
  out["dom0_bootargs"] = plan.dom0_bootargs;
  out["script"] = boot_script(plan);
  out["nodes"] = boot_nodes(plan);
  out["warnings"] = Json::array();
  for (const std::string& warning : plan.warnings) {
    out["warnings"].push_back(escape(warning));
  }
  return out.dump(2) + "\n";
}

std::string print_board_json(const Board& board) {
  Json one;
  one["name"] = board.name;
  one["title"] = escape(board.title);
  one["origin"] = escape(board.origin);
  one["includes"] = board.parts;
  one["facts"] = Json::object();
  for (const FactInfo& info : fact_table()) {
    const Fact* fact = board.fact(info.key);
    if (fact == nullptr) {
      continue;
    }
    Json member;
    if (fact->value) {
      member["value"] = value_json(info, *fact->value);
      member["source"] = escape(fact->source);
    } else {
      member["absent"] = escape(fact->absent);
    }
    member["from"] = fact->file;
    one["facts"][info.key] = std::move(member);
  }
  one["kernel"] = Json::array();
  for (const BoardRule& rule : board.rules) {
    one["kernel"].push_back(rule_json(rule));
  }
  Json out;
  out["xstack"] = 1;
  out["board"] = std::move(one);
  return out.dump(2) + "\n";
}

}  // namespace xstack
