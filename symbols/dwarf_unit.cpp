// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/dwarf_unit.h"

#include <dwarf.h>

#include <algorithm>
#include <limits>

#include "base/checked.h"
#include "base/endian.h"
#include "symbols/source_path.h"

namespace xstack {
namespace {

constexpr std::uint32_t kMaxLineTable = 16U << 20;  // of one unit; a kernel's have some 10 KB each
constexpr std::size_t kMaxOverlapping = 8;          // functions that begin before the one that covers an address

const char* string_attribute(Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute attribute;
  return dwarf_formstring(dwarf_attr_integrate(&die, name, &attribute));
}

std::optional<Dwarf_Word> number_attribute(Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  return dwarf_formudata(dwarf_attr(&die, name, &attribute), &value) == 0 ? std::optional(value) : std::nullopt;
}

std::optional<std::string> name_of(Dwarf_Die& die) {
  const char* name = string_attribute(die, DW_AT_name);
  return name != nullptr && *name != '\0' ? std::optional<std::string>(name) : std::nullopt;
}

std::optional<unsigned> line_number(std::uint64_t line) {
  const bool known = line != 0 && line <= std::numeric_limits<unsigned>::max();
  return known ? std::optional(static_cast<unsigned>(line)) : std::nullopt;
}

/// Are functions defined below such a DIE? Types hold functions in languages with methods only.
bool holds_functions(int tag, int language) {
  switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
      return true;
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type:
      return language == DW_LANG_Rust || language == DW_LANG_C_plus_plus || language == DW_LANG_C_plus_plus_11 ||
             language == DW_LANG_C_plus_plus_14;
    default:
      return false;
  }
}

bool is_block(int tag) {
  return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block || tag == DW_TAG_with_stmt;
}

}  // namespace

DwarfUnit::DwarfUnit(const Dwarf_Die& unit, std::span<const std::byte> line_section, DwarfBudget& budget)
    : unit_(unit), budget_(budget) {
  Dwarf_Attribute attribute;
  compile_directory_ = dwarf_formstring(dwarf_attr(&unit_, DW_AT_comp_dir, &attribute));
  read_lines(line_section);
  read_functions();
}

/// libdw decodes a whole table at once, some 70 bytes of memory for each byte of it at worst: so its length decides.
void DwarfUnit::read_lines(std::span<const std::byte> line_section) {
  const auto offset = number_attribute(unit_, DW_AT_stmt_list);
  const auto head = offset ? slice(line_section, *offset, sizeof(std::uint32_t)) : std::nullopt;
  if (!head || load_le<std::uint32_t>(head->data()) > kMaxLineTable) {  // 64-bit DWARF begins with 0xffffffff
    return;
  }
  Dwarf_Lines* lines = nullptr;
  std::size_t count = 0;
  if (budget_.lines > 0 && dwarf_getsrclines(&unit_, &lines, &count) == 0) {
    budget_.lines -= std::min<std::uint64_t>(count, budget_.lines);
    lines_usable_ = true;
  }
}

void DwarfUnit::read_functions() {
  const int language = dwarf_srclang(&unit_);
  walk_below(unit_, budget_, [&](Dwarf_Die& die, std::size_t) {
    const int tag = dwarf_tag(&die);
    if (tag != DW_TAG_subprogram) {
      return holds_functions(tag, language);
    }
    const auto ranges = ranges_of(die, budget_);
    for (const AddressRange& range : ranges) {
      function_ranges_.push_back({range, function_dies_.size()});
    }
    if (!ranges.empty()) {
      function_dies_.push_back(die);
    }
    return false;
  });
  std::stable_sort(function_ranges_.begin(), function_ranges_.end(),
                   [](const FunctionRange& a, const FunctionRange& b) { return a.range.begin < b.range.begin; });
}

void DwarfUnit::read_calls(Function& function) {
  function.read = true;
  // The call that encloses what is walked, by depth of the walk.
  std::vector<std::optional<std::size_t>> enclosing;
  walk_below(function.die, budget_, [&](Dwarf_Die& die, std::size_t depth) {
    const int tag = dwarf_tag(&die);
    if (tag != DW_TAG_inlined_subroutine && !is_block(tag)) {
      return false;
    }
    enclosing.resize(depth + 1);
    const auto outer = depth == 0 ? std::nullopt : enclosing[depth - 1];
    enclosing[depth] = outer;
    if (tag == DW_TAG_inlined_subroutine) {
      for (const AddressRange& range : ranges_of(die, budget_)) {
        function.ranges.push_back({range, function.calls.size()});
      }
      enclosing[depth] = function.calls.size();
      function.calls.push_back({die, outer, depth});
    }
    return true;
  });
}

DwarfUnit::Function* DwarfUnit::function_at(std::uint64_t address) {
  auto above = std::upper_bound(function_ranges_.begin(), function_ranges_.end(), address,
                                [](std::uint64_t value, const FunctionRange& f) { return value < f.range.begin; });
  for (std::size_t i = 0; i < kMaxOverlapping && above != function_ranges_.begin(); ++i) {
    --above;
    if (above->range.holds(address)) {
      return &functions_.try_emplace(above->function, Function{function_dies_[above->function], false, {}, {}})
                  .first->second;
    }
  }
  return nullptr;
}

const std::string& DwarfUnit::short_path(const char* file) {
  const auto [at, added] = paths_.try_emplace(file);
  if (added) {
    at->second = source_path(file, compile_directory_ == nullptr ? "" : compile_directory_);
  }
  return at->second;
}

void DwarfUnit::put_line(SourcePlace& place, std::uint64_t address) {
  Dwarf_Line* line = lines_usable_ ? dwarf_getsrc_die(&unit_, address) : nullptr;
  const char* file = line == nullptr ? nullptr : dwarf_linesrc(line, nullptr, nullptr);
  if (file == nullptr) {
    return;
  }
  place.file = short_path(file);
  int number = 0;
  if (dwarf_lineno(line, &number) == 0 && number > 0) {
    place.line = static_cast<unsigned>(number);
  }
}

void DwarfUnit::put_call_site(SourcePlace& place, Dwarf_Die& call) {
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  const auto index = number_attribute(call, DW_AT_call_file);
  if (!index || !lines_usable_ || dwarf_getsrcfiles(&unit_, &files, &count) != 0 || *index >= count) {
    return;
  }
  const char* file = dwarf_filesrc(files, static_cast<std::size_t>(*index), nullptr, nullptr);
  if (file != nullptr) {
    place.file = short_path(file);
    place.line = line_number(number_attribute(call, DW_AT_call_line).value_or(0));
  }
}

std::vector<SourcePlace> DwarfUnit::places_at(std::uint64_t address) {
  std::vector<SourcePlace> places(1);
  put_line(places.front(), address);
  Function* function = function_at(address);
  if (function == nullptr) {
    return places.front().file ? places : std::vector<SourcePlace>();
  }
  if (!function->read) {
    read_calls(*function);
  }
  // The innermost call there; its callers enclose it.
  std::optional<std::size_t> at;
  for (const CallRange& here : function->ranges) {
    if (here.range.holds(address) && (!at || function->calls[here.call].depth > function->calls[*at].depth)) {
      at = here.call;
    }
  }
  for (; at; at = function->calls[*at].caller) {
    InlinedCall& call = function->calls[*at];
    places.back().function = name_of(call.die);
    put_call_site(places.emplace_back(), call.die);
  }
  places.back().function = name_of(function->die);
  return places;
}

}  // namespace xstack
