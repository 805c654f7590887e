// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kernel_facts.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "linux/kernel_image.h"
#include "linux/vmcoreinfo.h"

namespace xstack {
namespace {

using nlohmann::json;

constexpr const char* kKey = "linux";
constexpr std::size_t kMaxText = 4U << 20;
constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxItems = 16384;
constexpr std::size_t kMaxWarnings = 64;
constexpr std::size_t kMaxWarning = 1024;
constexpr std::uint64_t kMaxRange = std::uint64_t{1} << 30;
constexpr std::uint32_t kMaxEntries = 16U << 20;
constexpr std::uint64_t kMaxModuleOffset = 2048;  // ModuleBytes::kSize

/// The members of a task that may be unknown, by their names in the facts.
constexpr std::pair<const char*, std::optional<std::uint32_t> TaskLayout::*> kMaybeMembers[] = {
    {"state", &TaskLayout::state},
    {"exit_state", &TaskLayout::exit_state},
    {"flags", &TaskLayout::flags},
    {"on_cpu", &TaskLayout::on_cpu},
    {"cpu", &TaskLayout::cpu},
    {"real_parent", &TaskLayout::real_parent},
    {"thread_node", &TaskLayout::thread_node},
    {"signal", &TaskLayout::signal},
    {"thread_head", &TaskLayout::thread_head}};

std::optional<std::uint64_t> number(const json& object, const char* key, std::uint64_t limit = ~std::uint64_t{0}) {
  const auto member = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || member == object.end() || !member->is_number_unsigned()) {
    return std::nullopt;
  }
  const auto value = member->get<std::uint64_t>();
  return value <= limit ? std::optional(value) : std::nullopt;
}

std::optional<std::string> text(const json& object, const char* key, std::size_t limit) {
  const auto member = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || member == object.end() || !member->is_string()) {
    return std::nullopt;
  }
  auto value = member->get<std::string>();
  return value.size() <= limit ? std::optional(std::move(value)) : std::nullopt;
}

/// The elements of an array member, as far as a sane capture has them.
std::vector<json> items(const json& object, const char* key) {
  const auto member = object.find(key);
  if (member == object.end() || !member->is_array() || member->size() > kMaxItems) {
    return {};
  }
  return {member->begin(), member->end()};
}

/// The members `<name>_begin` and `<name>_end` of an object; nothing unless they are a sane range.
std::optional<CodeRange> range(const json& object, const std::string& name) {
  const auto begin = number(object, (name + "_begin").c_str());
  const auto end = number(object, (name + "_end").c_str());
  const bool sane = begin && end && *begin <= *end && *end - *begin <= kMaxRange;
  return sane ? std::optional(CodeRange{GuestVirt(*begin), GuestVirt(*end)}) : std::nullopt;
}

json write_kallsyms(const KernelFindings& findings) {
  const KallsymsTables& t = *findings.kallsyms;
  json names = json::object();
  for (const auto& [name, address] : findings.names) {
    names[name] = address ? json(*address) : json(nullptr);
  }
  json object = {{"kind", static_cast<unsigned>(t.kind)},
                 {"addresses", t.addresses.value},
                 {"relative_base", t.relative_base},
                 {"count", t.count},
                 {"names", t.names.value},
                 {"names_bytes", t.names_end - t.names},
                 {"markers", t.markers.value},
                 {"marker_size", t.marker_size},
                 {"token_table", t.token_table.value},
                 {"token_bytes", t.token_bytes},
                 {"token_index", t.token_index.value},
                 {"samples", findings.samples},
                 {"asked", names}};
  if (t.slide != 0) {
    object["slide"] = t.slide;
    object["word_size"] = t.word_size;  // a 64-bit kernel may still be in 32-bit mode
  }
  return object;
}

void read_kallsyms(const json& object, unsigned word_size, KernelFindings& findings) {
  KallsymsTables t;
  t.word_size = word_size;
  const auto kind = number(object, "kind", static_cast<unsigned>(KallsymsTables::Addresses::self_relative));
  const auto addresses = number(object, "addresses");
  const auto base = number(object, "relative_base");
  const auto count = number(object, "count", kMaxKallsyms);
  const auto names = number(object, "names");
  const auto names_bytes = number(object, "names_bytes", std::uint64_t{64} << 20);
  const auto markers = number(object, "markers");
  const auto marker_size = number(object, "marker_size", 8);
  const auto token_table = number(object, "token_table");
  const auto token_bytes = number(object, "token_bytes", 1U << 16);
  const auto token_index = number(object, "token_index");
  if (!kind || !addresses || !base || !count || *count == 0 || !names || !names_bytes || !markers || !marker_size ||
      (*marker_size != 4 && *marker_size != 8) || !token_table || !token_bytes || !token_index) {
    return;
  }
  t.kind = static_cast<KallsymsTables::Addresses>(*kind);
  t.addresses = GuestVirt(*addresses);
  t.relative_base = *base;
  t.count = static_cast<std::uint32_t>(*count);
  t.names = GuestVirt(*names);
  t.names_end = t.names + *names_bytes;
  t.markers = GuestVirt(*markers);
  t.marker_size = static_cast<unsigned>(*marker_size);
  t.token_table = GuestVirt(*token_table);
  t.token_bytes = static_cast<std::uint32_t>(*token_bytes);
  t.token_index = GuestVirt(*token_index);
  t.slide = number(object, "slide").value_or(0);
  if (number(object, "word_size", 8) == 8U) {
    t.word_size = 8;
  }
  findings.kallsyms = t;
  for (const json& sample : items(object, "samples")) {
    findings.samples.push_back(sample.is_number_unsigned() ? sample.get<std::uint64_t>() : 0);
  }
  // A search in unsorted samples, or in too few, would go wrong quietly.
  if (findings.samples.size() != (t.count + 1023) / 1024 ||
      !std::is_sorted(findings.samples.begin(), findings.samples.end())) {
    findings.samples.clear();
  }
  const auto asked = object.find("asked");
  if (asked != object.end() && asked->is_object() && asked->size() <= kMaxItems) {
    for (const auto& [name, address] : asked->items()) {
      if (name.size() <= 512) {
        findings.names[name] =
            address.is_number_unsigned() ? std::optional(address.get<std::uint64_t>()) : std::nullopt;
      }
    }
  }
}

json write_module(const FoundModule& found) {
  const KernelModule& m = found.module;
  json object = {{"name", m.name},
                 {"structure", m.structure.value},
                 {"text_begin", m.text_begin.value},
                 {"text_end", m.text_end.value}};
  if (m.init_text_begin != m.init_text_end) {
    object["init_begin"] = m.init_text_begin.value;
    object["init_end"] = m.init_text_end.value;
  }
  if (m.size && m.init_size) {
    object["size"] = *m.size;
    object["init_size"] = *m.init_size;
  }
  if (m.state) {
    object["state"] = *m.state;
  }
  if (found.table) {
    object["symtab"] = found.table->symtab.value;
    object["symbols"] = found.table->count;
    object["strtab"] = found.table->strtab.value;
  }
  return object;
}

std::optional<FoundModule> read_module(const json& object) {
  const auto name = text(object, "name", 64);
  const auto code = range(object, "text");
  if (!name || name->empty() || !code) {
    return std::nullopt;
  }
  FoundModule found;
  found.module.name = *name;
  found.module.structure = GuestVirt(number(object, "structure").value_or(0));
  found.module.text_begin = code->begin;
  found.module.text_end = code->end;
  if (const auto init = range(object, "init")) {
    found.module.init_text_begin = init->begin;
    found.module.init_text_end = init->end;
  }
  found.module.size = number(object, "size", kMaxRange);
  found.module.init_size = number(object, "init_size", kMaxRange);
  if (const auto state = number(object, "state", 3)) {
    found.module.state = static_cast<unsigned>(*state);
  }
  const auto symtab = number(object, "symtab");
  const auto symbols = number(object, "symbols", 1U << 20);
  const auto strtab = number(object, "strtab");
  if (symtab && symbols && strtab) {
    found.table = ModuleTable{GuestVirt(*symtab), static_cast<std::uint32_t>(*symbols), GuestVirt(*strtab)};
    found.module.symbols = found.table->count;
  }
  return found;
}

json write_unwind(const UnwindTables& unwind) {
  json ehabi = json::array();
  for (const EhabiTable& t : unwind.ehabi) {
    ehabi.push_back({{"index", t.index.value},
                     {"count", t.count},
                     {"text_begin", t.text_begin.value},
                     {"text_end", t.text_end.value},
                     {"module", t.module}});
  }
  json orc = json::array();
  for (const OrcTable& t : unwind.orc) {
    orc.push_back({{"ip", t.ip.value},
                   {"entries", t.entries.value},
                   {"count", t.count},
                   {"text_begin", t.text_begin.value},
                   {"text_end", t.text_end.value},
                   {"module", t.module}});
    if (!t.samples.empty()) {
      orc.back()["samples"] = t.samples;
    }
  }
  return {{"ehabi", ehabi},
          {"orc", orc},
          {"orc_types", static_cast<unsigned>(unwind.orc_layout.types)},
          {"orc_registers", static_cast<unsigned>(unwind.orc_layout.registers)},
          {"orc_offset_before", unwind.orc_layout.indirect_offset_before ? 1U : 0U}};
}

/// Unsorted samples, or more of them than entries, would lead lookups astray quietly.
std::vector<std::uint64_t> read_orc_samples(const json& table, std::uint64_t count) {
  std::vector<std::uint64_t> samples;
  for (const json& sample : items(table, "samples")) {
    samples.push_back(sample.is_number_unsigned() ? sample.get<std::uint64_t>() : 0);
  }
  if (samples.size() > count || !std::is_sorted(samples.begin(), samples.end())) {
    samples.clear();
  }
  return samples;
}

UnwindTables read_unwind(const json& object) {
  UnwindTables unwind;
  for (const json& item : items(object, "ehabi")) {
    const auto index = number(item, "index");
    const auto count = number(item, "count", kMaxEntries);
    const auto code = range(item, "text");
    if (index && count && code) {
      unwind.ehabi.push_back({GuestVirt(*index), static_cast<std::uint32_t>(*count), code->begin, code->end,
                              text(item, "module", 64).value_or("")});
    }
  }
  for (const json& item : items(object, "orc")) {
    const auto ip = number(item, "ip");
    const auto entries = number(item, "entries");
    const auto count = number(item, "count", kMaxEntries);
    const auto code = range(item, "text");
    if (ip && entries && count && code) {
      unwind.orc.push_back({GuestVirt(*ip), GuestVirt(*entries), static_cast<std::uint32_t>(*count), code->begin,
                            code->end, text(item, "module", 64).value_or(""), read_orc_samples(item, *count)});
    }
  }
  using Layout = OrcLayout;
  unwind.orc_layout.types = static_cast<Layout::Types>(
      number(object, "orc_types", static_cast<unsigned>(Layout::Types::call2_type3_signal11)).value_or(0));
  unwind.orc_layout.registers = static_cast<Layout::Registers>(
      number(object, "orc_registers", static_cast<unsigned>(Layout::Registers::sp3)).value_or(0));
  unwind.orc_layout.indirect_offset_before = number(object, "orc_offset_before", 1).value_or(0) == 1;
  return unwind;
}

json write_tasks(const KernelFindings& findings) {
  const TaskLayout& t = *findings.tasks;
  json known = json::array();
  for (const GuestVirt task : findings.known_tasks) {
    known.push_back(task.value);
  }
  json object = {{"init_task", t.init_task.value},
                 {"tasks", t.tasks},
                 {"pid", t.pid},
                 {"tgid", t.tgid},
                 {"comm", t.comm},
                 {"stack", t.stack},
                 {"saved_kind", static_cast<unsigned>(t.saved_kind)},
                 {"saved", t.saved},
                 {"stack_size", t.stack_size},
                 {"by_btf", t.by_btf ? 1U : 0U},
                 {"known", known}};
  for (const auto& [key, member] : kMaybeMembers) {
    if (t.*member) {
      object[key] = *(t.*member);
    }
  }
  return object;
}

void read_tasks(const json& object, KernelFindings& findings) {
  const auto offset = [&](const char* key) { return number(object, key, kMaxTaskOffset); };
  const auto init_task = number(object, "init_task");
  const auto tasks = offset("tasks");
  const auto pid = offset("pid");
  const auto tgid = offset("tgid");
  const auto comm = offset("comm");
  const auto stack = offset("stack");
  const auto stack_size = number(object, "stack_size", 1U << 16);
  if (!init_task || !tasks || !pid || !tgid || !comm || !stack || !stack_size || *stack_size < kXenPageSize ||
      (*stack_size & (*stack_size - 1)) != 0) {
    return;
  }
  const auto narrow = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  TaskLayout t;
  t.init_task = GuestVirt(*init_task);
  t.tasks = narrow(*tasks);
  t.pid = narrow(*pid);
  t.tgid = narrow(*tgid);
  t.comm = narrow(*comm);
  t.stack = narrow(*stack);
  t.stack_size = *stack_size;
  t.by_btf = number(object, "by_btf", 1).value_or(0) == 1;
  t.saved_kind = static_cast<TaskLayout::Saved>(
      number(object, "saved_kind", static_cast<unsigned>(TaskLayout::Saved::pointer)).value_or(0));
  t.saved = narrow(offset("saved").value_or(0));
  for (const auto& [key, member] : kMaybeMembers) {
    if (const auto value = offset(key)) {
      t.*member = narrow(*value);
    }
  }
  findings.tasks = t;
  for (const json& item : items(object, "known")) {
    if (item.is_number_unsigned()) {
      findings.known_tasks.emplace_back(item.get<std::uint64_t>());
    }
  }
}

bool is_hex(std::string_view digits) {
  return std::all_of(digits.begin(), digits.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::map<std::string, std::string> write_facts(const KernelFindings& findings) {
  json object = json::object();
  if (findings.kallsyms) {
    object["kallsyms"] = write_kallsyms(findings);
  }
  object["text"] = json::array();
  for (const CodeRange& code : findings.text) {
    object["text"].push_back({{"code_begin", code.begin.value}, {"code_end", code.end.value}});
  }
  const auto put = [&](const char* key, const std::optional<std::string>& value) {
    if (value) {
      object[key] = *value;
    }
  };
  put("release", findings.release);
  put("banner", findings.banner);
  put("build_id", findings.build_id);
  if (findings.kaslr_offset) {
    object["kaslr_offset"] = *findings.kaslr_offset;
    object["kaslr_derived"] = findings.kaslr_derived ? 1U : 0U;
  }
  if (findings.kernel_root) {
    object["kernel_root"] = findings.kernel_root->value;
  }
  object["modules"] = json::array();
  for (const FoundModule& module : findings.modules) {
    object["modules"].push_back(write_module(module));
  }
  object["unwind"] = write_unwind(findings.unwind);
  if (findings.physical_begin) {
    object["physical"] = {{"begin", findings.physical_begin->value}, {"how", findings.physical_how}};
  }
  if (findings.physical_offset) {
    object["physical_offset"] = *findings.physical_offset;
  }
  if (findings.tasks) {
    object["tasks"] = write_tasks(findings);
  }
  if (findings.module_taints) {
    object["module_taints"] = *findings.module_taints;
  }
  object["warnings"] = findings.warnings;
  // Names are the guest's own bytes: what is no UTF-8 is replaced, never thrown about.
  return {{kKey, object.dump(-1, ' ', false, json::error_handler_t::replace)}};
}

std::optional<KernelFindings> read_facts(const std::map<std::string, std::string>& facts, unsigned word_size) {
  const auto entry = facts.find(kKey);
  if (entry == facts.end() || entry->second.size() > kMaxText) {
    return std::nullopt;
  }
  // What is nested deeper than these facts ever are is dropped while it is parsed: copies of JSON values recurse.
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kMaxDepth; };
  const json object = json::parse(entry->second, shallow, false);
  if (!object.is_object()) {
    return std::nullopt;
  }
  KernelFindings findings;
  if (const auto kallsyms = object.find("kallsyms"); kallsyms != object.end() && kallsyms->is_object()) {
    read_kallsyms(*kallsyms, word_size, findings);
  }
  for (const json& item : items(object, "text")) {
    if (const auto code = range(item, "code")) {
      findings.text.push_back(*code);
    }
  }
  if (const auto release = text(object, "release", 64); release && is_release(*release)) {
    findings.release = release;
  }
  if (const auto banner = text(object, "banner", 512); banner && release_of_banner(*banner)) {
    findings.banner = banner;
  }
  if (const auto id = text(object, "build_id", 64); id && id->size() >= 16 && is_hex(*id)) {
    findings.build_id = id;
  }
  findings.kaslr_offset = number(object, "kaslr_offset");
  findings.kaslr_derived = findings.kaslr_offset && number(object, "kaslr_derived", 1).value_or(0) == 1;
  if (const auto root = number(object, "kernel_root")) {
    findings.kernel_root = GuestPhys(*root);
  }
  for (const json& item : items(object, "modules")) {
    if (auto module = read_module(item)) {
      findings.modules.push_back(std::move(*module));
    }
  }
  if (const auto unwind = object.find("unwind"); unwind != object.end() && unwind->is_object()) {
    findings.unwind = read_unwind(*unwind);
  }
  if (const auto physical = object.find("physical"); physical != object.end() && physical->is_object()) {
    if (const auto begin = number(*physical, "begin")) {
      findings.physical_begin = GuestPhys(*begin);
      findings.physical_how = text(*physical, "how", kMaxWarning).value_or("");
    }
  }
  findings.physical_offset = number(object, "physical_offset");
  if (const auto tasks = object.find("tasks"); tasks != object.end() && tasks->is_object()) {
    read_tasks(*tasks, findings);
  }
  if (const auto taints = number(object, "module_taints", kMaxModuleOffset)) {
    findings.module_taints = static_cast<std::uint32_t>(*taints);
  }
  for (const json& item : items(object, "warnings")) {
    if (item.is_string() && item.get_ref<const std::string&>().size() <= kMaxWarning &&
        findings.warnings.size() < kMaxWarnings) {
      findings.warnings.push_back(item.get<std::string>());
    }
  }
  return findings;
}

}  // namespace xstack
