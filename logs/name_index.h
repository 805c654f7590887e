// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace xstack::logs {

/// The addresses of a table's names: a kernel has many functions of one name. Made in one pass; 4 bytes and a row a
/// name.
class NameIndex {
 public:
  struct Entry {
    std::string_view name;
    std::uint64_t address = 0;
    std::uint64_t size = 0;   ///< as the file says it; 0 when it does not
    std::uint64_t reach = 0;  ///< up to the next symbol of another address; 0 for the last
  };

  /// Of entries in the order of their addresses, whose `reach` is filled in here. What their names lie in must outlive
  /// this.
  explicit NameIndex(std::vector<Entry> entries);

  /// All of exactly this name, in the order of their addresses.
  [[nodiscard]] std::vector<Entry> find(std::string_view name) const;

 private:
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;  ///< entry + 1; 0: free
};

}  // namespace xstack::logs
