// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace xstack {

/// Physical addresses of a machine, from `begin` up to `end`, which is not part of it.
struct Area {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string what = {};  ///< foreign text when it is from a device tree
};

[[nodiscard]] inline bool overlap(const Area& a, const Area& b) {
  return a.begin < b.end && b.begin < a.end;
}

/// A flattened device tree (Devicetree Specification 0.4, chapter 5), read with libfdt, which has checked all of it
/// first. Text that comes out of it is foreign.
class DeviceTree {
 public:
  /// Xen takes no larger one: xen/arch/arm/include/asm/setup.h, MAX_FDT_SIZE.
  static constexpr std::size_t kMaxSize = 2U << 20;

  /// Errors: bad_format, too_large.
  [[nodiscard]] static Result<DeviceTree> parse(std::vector<std::byte> blob);

  [[nodiscard]] std::size_t size() const { return blob_.size(); }

  [[nodiscard]] bool has(const std::string& path) const;
  /// Names of the nodes below `path`, in their order, at most 512.
  [[nodiscard]] std::vector<std::string> children(const std::string& path) const;

  // The value of a property; nothing, or empty, when there is none of that form.
  [[nodiscard]] std::optional<std::string> text(const std::string& path, const char* property) const;
  [[nodiscard]] std::vector<std::string> texts(const std::string& path, const char* property) const;
  [[nodiscard]] std::vector<std::uint32_t> cells(const std::string& path, const char* property) const;

  /// The areas of `reg` of a node below the root or below a bus that maps its addresses one to one. Empty ones and such
  /// as go beyond 64 bits are left out.
  [[nodiscard]] std::vector<Area> reg(const std::string& path) const;

  /// Of the memory nodes: RAM, when somebody has written it there. Boot loaders do at boot.
  [[nodiscard]] std::vector<Area> memory() const;
  /// What nobody may use: the memory reservation block, and what /reserved-memory places at an address.
  [[nodiscard]] std::vector<Area> reserved() const;

 private:
  explicit DeviceTree(std::vector<std::byte> blob) : blob_(std::move(blob)) {}
  [[nodiscard]] int node(const std::string& path) const;
  [[nodiscard]] const char* property_of(const std::string& path, const char* property, std::size_t& length) const;

  std::vector<std::byte> blob_;
};

}  // namespace xstack
