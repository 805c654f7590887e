// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/aliases.h"

#include <algorithm>
#include <cstddef>

namespace xstack {
namespace {

/// What a linker script may have put there: may_be_linker_script_provide_symbol() of scripts/kallsyms.c.
bool is_section_mark(std::string_view name) {
  if (name.size() < 8 || !name.starts_with("__")) {
    return false;
  }
  const std::string_view rest = name.substr(2);
  return rest.starts_with("start_") || rest.starts_with("stop_") || rest.starts_with("end_") ||
         name.ends_with("_start") || name.ends_with("_end");
}

}  // namespace

bool is_mapping_symbol(std::string_view name) {
  if (name.starts_with(".L") || name.starts_with("L0")) {
    return true;
  }
  return name.size() >= 2 && name[0] == '$' && std::string_view("adtx").find(name[1]) != std::string_view::npos &&
         (name.size() == 2 || name[2] == '.');
}

bool has_alias_prefix(std::string_view name) {
  return name.starts_with("__cfi_") || name.starts_with("__pfx_") || name.starts_with("__pi_");
}

unsigned alias_merit(char type, std::string_view name) {
  constexpr unsigned kStrong = 256;
  constexpr unsigned kNoMark = 128;
  constexpr unsigned kMostUnderscores = 100;
  if (is_mapping_symbol(name)) {
    return 0;
  }
  if (has_alias_prefix(name)) {
    return 1;
  }
  const bool weak = type == 'w' || type == 'W' || type == 'v' || type == 'V';
  const std::size_t underscores = std::min(name.find_first_not_of('_'), name.size());
  return 2 + (weak ? 0 : kStrong) + (is_section_mark(name) ? 0 : kNoMark) +
         (kMostUnderscores - static_cast<unsigned>(std::min<std::size_t>(underscores, kMostUnderscores)));
}

}  // namespace xstack
