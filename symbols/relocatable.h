// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <elfutils/libdwfl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace xstack {

/// The DWARF of a relocatable file (a kernel module), its relocations applied by libdwfl, which lays the sections out
/// one behind the other. Nothing else is looked for: neither other files nor debuginfod servers.
class RelocatableDwarf {
 public:
  /// Null when libdwfl makes nothing of it, and for files of more than 1 GiB.
  [[nodiscard]] static std::unique_ptr<RelocatableDwarf> open(std::span<const std::byte> bytes);

  /// Null when there is none.
  [[nodiscard]] Dwarf* dwarf() const { return dwarf_; }
  /// Where a section lies; nothing for those that are not loaded.
  [[nodiscard]] std::optional<std::uint64_t> section_address(std::size_t section) const;

 private:
  RelocatableDwarf() = default;
  std::unique_ptr<Dwfl, void (*)(Dwfl*)> dwfl_{nullptr, dwfl_end};
  Elf* elf_ = nullptr;
  Dwarf* dwarf_ = nullptr;
};

}  // namespace xstack
