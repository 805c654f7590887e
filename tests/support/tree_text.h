// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <libfdt.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace xstack::test {

/// A flattened device tree of lines `PATH PROPERTY VALUE`, as tests/data/boards/extract.py writes them: strings in
/// quotes, or cells between < and >. A node is made when it is named first; a line `PATH -` makes one without
/// properties.
inline std::vector<std::byte> tree_of(const std::string& text) {
  const auto expect = [](bool ok, const std::string& line) {
    if (!ok) {
      throw std::runtime_error("device tree: " + line);
    }
  };
  std::vector<std::byte> blob(65536);
  expect(fdt_create_empty_tree(blob.data(), static_cast<int>(blob.size())) == 0, "empty");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') {
      continue;
    }
    std::istringstream words(line);
    std::string path;
    std::string property;
    words >> path >> property;
    // Every node on the way down.
    int node = 0;
    for (std::size_t at = 1; at < path.size();) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      const std::string name = path.substr(at, end - at);
      const int there = fdt_subnode_offset(blob.data(), node, name.c_str());
      node = there >= 0 ? there : fdt_add_subnode(blob.data(), node, name.c_str());
      expect(node >= 0, line);
      at = end + 1;
    }
    std::string value;
    std::string rest;
    std::getline(words, rest);
    if (rest.find('<') != std::string::npos) {
      std::istringstream cells(rest.substr(rest.find('<') + 1));
      for (std::string cell; cells >> cell;) {
        const auto number = static_cast<std::uint32_t>(std::stoul(cell, nullptr, 0));
        for (int shift = 24; shift >= 0; shift -= 8) {
          value += static_cast<char>(number >> shift & 0xff);
        }
        if (cell.back() == '>') {
          break;
        }
      }
    } else {
      for (std::size_t at = 0; (at = rest.find('"', at)) != std::string::npos;) {
        const std::size_t end = rest.find('"', at + 1);
        value += rest.substr(at + 1, end - at - 1) + '\0';
        at = end + 1;
      }
    }
    expect(property == "-" ||
               fdt_setprop(blob.data(), node, property.c_str(), value.data(), static_cast<int>(value.size())) == 0,
           line);
  }
  expect(fdt_pack(blob.data()) == 0, "pack");
  blob.resize(fdt_totalsize(blob.data()));
  return blob;
}

inline std::string text_of(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace xstack::test
