// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/symbol_file.h"

#include <elf.h>

#include <array>
#include <cstring>

#include "base/checked.h"
#include "base/endian.h"
#include "guest/dump/input_file.h"
#include "symbols/elf_sections.h"

namespace xstack {
namespace {

bool is_relocatable(std::span<const std::byte> elf) {
  const auto type = slice(elf, EI_NIDENT, sizeof(std::uint16_t));  // e_type, at one place in both classes
  return type && load_le<std::uint16_t>(type->data()) == ET_REL;
}

}  // namespace

Result<SymbolFile> read_symbol_file(const std::string& path, ArchId arch) {
  const auto input = InputFile::open(path);
  if (!input) {
    return tl::unexpected(input.error());
  }
  const std::span<const std::byte> bytes = (*input)->bytes();
  static constexpr std::array<char, 4> kElf = {0x7f, 'E', 'L', 'F'};
  const bool elf = bytes.size() >= kElf.size() && std::memcmp(bytes.data(), kElf.data(), kElf.size()) == 0;
  if (elf && is_relocatable(bytes)) {
    return SymbolFile{{}, "module", std::nullopt, true};
  }
  auto table = elf ? parse_elf_symbols(bytes, arch)
                   : parse_symbol_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!table) {
    return fail(path, table.error());
  }
  return SymbolFile{std::move(*table), elf ? "vmlinux" : "System.map", elf ? build_id_of(bytes) : std::nullopt, false};
}

}  // namespace xstack
