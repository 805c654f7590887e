// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gelf.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace xstack {

/// The GNU build-id, lower-case hex; nothing when there is none.
[[nodiscard]] std::optional<std::string> build_id_of(Elf* elf);
[[nodiscard]] std::optional<std::string> build_id_of(std::span<const std::byte> image);

/// Is there a section of that name with something in the file?
[[nodiscard]] bool has_section(Elf* elf, std::string_view name);

/// Is a section compressed, in either of the two forms there are?
[[nodiscard]] bool has_compressed_sections(Elf* elf);

/// Could the compressed sections unpack to the sizes that they claim? libelf allocates what is claimed before it
/// unpacks: deflate never makes more than 1032 bytes of one, and 4 GiB in all is more than any kernel has.
[[nodiscard]] bool unpacked_sizes_are_sane(Elf* elf);

/// The section of symbols, .symtab before .dynsym, and its header; null when there is none.
[[nodiscard]] Elf_Scn* symbol_section(Elf* elf, GElf_Shdr& header);

/// One symbol of .symtab (else .dynsym).
struct ElfSymbolView {
  std::string_view name;
  std::uint64_t value = 0;
  std::uint64_t size = 0;
  std::size_t section = 0;
  bool function = false;
};

/// Calls `visit` for each symbol that has a name, until it returns false.
void for_each_symbol(Elf* elf, const std::function<bool(const ElfSymbolView&)>& visit);

}  // namespace xstack
