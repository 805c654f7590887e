// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/symbol_file.h"

#include <array>
#include <cstring>

#include "guest/dump/input_file.h"

namespace xstack {

Result<SymbolFile> read_symbol_file(const std::string& path, ArchId arch) {
  const auto input = InputFile::open(path);
  if (!input) {
    return tl::unexpected(input.error());
  }
  const std::span<const std::byte> bytes = (*input)->bytes();
  static constexpr std::array<char, 4> kElf = {0x7f, 'E', 'L', 'F'};
  const bool elf = bytes.size() >= kElf.size() && std::memcmp(bytes.data(), kElf.data(), kElf.size()) == 0;
  auto table = elf ? parse_elf_symbols(bytes, arch)
                   : parse_symbol_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!table) {
    return fail(path, table.error());
  }
  return SymbolFile{std::move(*table), elf ? "vmlinux" : "System.map"};
}

}  // namespace xstack
