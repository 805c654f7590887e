// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arch/arch.h"

namespace xstack::remote {

/// One register as a debugger numbers it.
struct RemoteRegister {
  std::string name;
  unsigned bits = 0;
  const char* type = "";                ///< GDB's name of its type, or empty: an integer
  std::optional<RegisterIndex> source;  ///< absent: a register that is never known here (x87, SSE)
};

/// What a debugger is told of an architecture: features that it knows (org.gnu.gdb...), with the registers in its own
/// order, and one of our own with all else that there is: banked and system registers.
class Description {
 public:
  explicit Description(const ArchOps& arch);

  [[nodiscard]] const std::vector<RemoteRegister>& registers() const { return registers_; }
  /// The position of the register that a debugger calls `number`: not the same on ARM, where 16 to 24 are gone.
  [[nodiscard]] std::optional<std::size_t> position(std::uint64_t number) const;
  /// The target description, as qXfer:features:read:target.xml gives it (GDB manual, "Target Description Format").
  [[nodiscard]] const std::string& xml() const { return xml_; }

  /// The value of register `number` in `file`, in memory's order, two digits a byte; x's where it is not known.
  [[nodiscard]] std::string value(const RegisterFile& file, std::size_t number) const;
  /// All of them, one after the other.
  [[nodiscard]] std::string values(const RegisterFile& file) const;

 private:
  struct Feature;
  void add(const Feature& feature, const ArchOps& arch);

  ArchId arch_{};
  std::vector<RemoteRegister> registers_;
  std::string xml_;
};

}  // namespace xstack::remote
