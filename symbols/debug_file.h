// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arch/arch.h"
#include "base/error.h"
#include "symbols/source_place.h"
#include "symbols/symbol_table.h"

namespace xstack {

/// A function of a relocatable file (a kernel module).
struct FileFunction {
  std::string name;
  std::size_t section = 0;    ///< its section's number
  std::uint64_t address = 0;  ///< as DebugFile lays the sections out
  std::uint64_t size = 0;
};

/// .gnu_debuglink: the name of the file that has the DWARF, and the CRC-32 of its bytes.
struct DebugLink {
  std::string name;
  std::uint32_t crc = 0;
};

/// An ELF file that may have DWARF: a vmlinux, a separate debug file, a kernel module. It may be compressed as a whole
/// (.zst, .xz, .gz), and its debug sections may be. Addresses are the file's own; a relocatable file's sections are
/// laid out one behind the other, and functions() says where.
class DebugFile {
 public:
  /// `arch` absent: of any that xstack knows. Errors: io, truncated, bad_format (no ELF file, or one that lies about
  /// sizes), unsupported (of another machine), too_large.
  [[nodiscard]] static Result<std::unique_ptr<DebugFile>> open(const std::string& path, std::optional<ArchId> arch);
  /// The same from bytes, which must outlive this. For tests and fuzzers.
  [[nodiscard]] static Result<std::unique_ptr<DebugFile>> from_bytes(std::span<const std::byte> bytes,
                                                                     std::optional<ArchId> arch);
  ~DebugFile();
  DebugFile(const DebugFile&) = delete;
  DebugFile& operator=(const DebugFile&) = delete;

  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] ArchId arch() const;
  [[nodiscard]] const std::optional<std::string>& build_id() const;  ///< lower-case hex
  [[nodiscard]] bool relocatable() const;
  [[nodiscard]] bool has_dwarf() const;  ///< has it DWARF of its own?
  [[nodiscard]] std::optional<DebugLink> debug_link() const;
  [[nodiscard]] std::span<const std::byte> bytes() const;

  /// As DwarfLines::places_at(). Opens the DWARF when it is asked for the first time.
  [[nodiscard]] std::vector<SourcePlace> places_at(std::uint64_t address);

  /// Those of `names` that .symtab has, with their addresses. Not for relocatable files.
  [[nodiscard]] SymbolTable symbols_named(std::span<const std::string_view> names) const;

  /// The functions of a relocatable file.
  [[nodiscard]] const std::vector<FileFunction>& functions();

 private:
  struct Parts;
  explicit DebugFile(std::unique_ptr<Parts> parts);
  [[nodiscard]] static Result<std::unique_ptr<DebugFile>> make(std::unique_ptr<Parts> parts,
                                                               std::optional<ArchId> arch);
  std::unique_ptr<Parts> parts_;
};

}  // namespace xstack
