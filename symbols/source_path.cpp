// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/source_path.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace xstack {
namespace {

constexpr std::size_t kFewestShared = 2;

bool is_absolute(std::string_view path) {
  return path.starts_with('/');
}

/// The names in `path`, `.` and `..` resolved as far as that goes.
std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  return parts;
}

std::string joined(const std::vector<std::string_view>& parts, std::size_t from, bool absolute) {
  std::string out;
  for (std::size_t i = from; i < parts.size(); ++i) {
    if (i > from || absolute) {
      out += '/';
    }
    out += parts[i];
  }
  return out;
}

}  // namespace

std::string source_path(std::string_view file, std::string_view compile_directory) {
  const auto parts = parts_of(file);
  const auto directory = parts_of(compile_directory);
  if (directory.empty() || parts.empty() || is_absolute(file) != is_absolute(compile_directory)) {
    return joined(parts, 0, is_absolute(file));
  }
  const auto [end, unused] = std::mismatch(parts.begin(), parts.end() - 1, directory.begin(), directory.end());
  const auto shared = static_cast<std::size_t>(end - parts.begin());
  const bool left_out = shared == directory.size() || (is_absolute(file) && shared >= kFewestShared);
  return joined(parts, left_out ? shared : 0, is_absolute(file) && !left_out);
}

}  // namespace xstack
