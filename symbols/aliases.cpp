// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/aliases.h"

namespace xstack {

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
  if (is_mapping_symbol(name)) {
    return 0;
  }
  if (has_alias_prefix(name)) {
    return 1;
  }
  if (type == 'w' || type == 'W' || type == 'v' || type == 'V') {
    return 2;
  }
  return type >= 'a' && type <= 'z' ? 3 : 4;
}

}  // namespace xstack
