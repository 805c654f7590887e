// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "arch/arch.h"
#include "base/error.h"
#include "symbols/symbol_table.h"

namespace xstack {

/// A file of symbols with the addresses that it holds.
struct SymbolFile {
  SymbolTable table;
  std::string kind;                     ///< "System.map" (also a /proc/kallsyms copy) or "vmlinux" (any ELF image)
  std::optional<std::string> build_id;  ///< of an ELF image, lower-case hex
  bool relocatable = false;  ///< an ELF file that is not linked (a module): it has no addresses, `table` is empty
};

/// Reads a symbol file: System.map or /proc/kallsyms text, or an ELF image, plain or compressed; what it is, is told by
/// its bytes. Errors: io, not_found (an ELF image without symbols), bad_format (no symbols in it, with the reason where
/// one is known: addresses hidden, a distribution's stub), unsupported (an ELF image of another machine than `arch`).
[[nodiscard]] Result<SymbolFile> read_symbol_file(const std::string& path, ArchId arch);

/// Lines "address type name", and in /proc/kallsyms "\t[module]" behind; any order, any length. Lines of another form
/// are passed over.
[[nodiscard]] Result<SymbolTable> parse_symbol_text(std::string_view text);

/// .symtab of an ELF image, else .dynsym. Errors: as read_symbol_file().
[[nodiscard]] Result<SymbolTable> parse_elf_symbols(std::span<const std::byte> image, ArchId arch);

}  // namespace xstack
