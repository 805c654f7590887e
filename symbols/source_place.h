// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

namespace xstack {

/// Where in the sources an address of code belongs. Text is a file's: escape it to show it.
struct SourcePlace {
  std::optional<std::string> function;  ///< as the sources call it
  std::optional<std::string> file;      ///< as the build named it, without the directory of the build
  std::optional<unsigned> line;         ///< known only with `file`
  friend bool operator==(const SourcePlace&, const SourcePlace&) = default;
};

}  // namespace xstack
