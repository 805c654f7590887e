// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace xstack {

/// Symbols that tools put between the functions and that name nothing: ARM's $a, $t, $d, $x (also with a suffix), and
/// compilers' local labels .L and L0 (is_mapping_symbol() of include/linux/module_symbol.h, Linux 7.2).
[[nodiscard]] bool is_mapping_symbol(std::string_view name);

/// A second name for what has a better one at the same address: __cfi_, __pfx_ (what lies before a function) and __pi_
/// (position-independent aliases of arm64).
[[nodiscard]] bool has_alias_prefix(std::string_view name);

/// How good a symbol is beside others at its address, from its nm type letter and name: higher is better, and of equals
/// the first in the file is meant. As scripts/kallsyms.c orders a kernel's own table (Linux 2.6.30 to 7.2): weak ones
/// behind the rest, then marks that a linker script puts round sections (__start_x, __stop_x, __end_x, __x_start,
/// __x_end), then the more leading underscores the worse. Mapping symbols are worst of all, prefixed aliases next.
[[nodiscard]] unsigned alias_merit(char type, std::string_view name);

}  // namespace xstack
