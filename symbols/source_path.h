// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

namespace xstack {

/// A source file's name as people say it: "drivers/tty/sysrq.c" for what was compiled as
/// "/build/linux/drivers/tty/sysrq.c" or "../drivers/tty/sysrq.c". `.` and `..` are resolved by their text, and what
/// the name shares with the directory of the build (DW_AT_comp_dir, absolute or not) is left out: all of that
/// directory, or the part of it, of at least two names, that a build in a folder of its own shares with its sources.
[[nodiscard]] std::string source_path(std::string_view file, std::string_view compile_directory);

}  // namespace xstack
