// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>
#include <gelf.h>

#include <memory>

#include "symbols/elf_machine.h"
#include "symbols/elf_sections.h"
#include "symbols/symbol_file.h"

namespace xstack {
namespace {

/// The nm letter, as far as merit and absoluteness go: t/T, w/W, d/D, a/A.
char letter_of(const GElf_Sym& symbol) {
  const unsigned type = GELF_ST_TYPE(symbol.st_info);
  const unsigned bind = GELF_ST_BIND(symbol.st_info);
  char letter = type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE ? 't' : 'd';
  letter = symbol.st_shndx == SHN_ABS ? 'a' : bind == STB_WEAK ? 'w' : letter;
  return bind == STB_LOCAL ? letter : static_cast<char>(letter - 'a' + 'A');
}

}  // namespace

Result<SymbolTable> parse_elf_symbols(std::span<const std::byte> image, ArchId arch) {
  elf_version(EV_CURRENT);
  // elf_memory() takes a pointer to bytes that may be written, but reading is all that is done with them here.
  auto* bytes = const_cast<char*>(reinterpret_cast<const char*>(image.data()));
  const std::unique_ptr<Elf, int (*)(Elf*)> elf(elf_memory(bytes, image.size()), elf_end);
  GElf_Ehdr header;
  if (!elf || elf_kind(elf.get()) != ELF_K_ELF || gelf_getehdr(elf.get(), &header) == nullptr) {
    return fail(Errc::bad_format, "a malformed ELF image");
  }
  if (header.e_machine != elf_machine(arch)) {
    return fail(Errc::unsupported, fmt::format("an ELF image for another machine ({}) than the guest's ({})",
                                               header.e_machine, to_string(arch)));
  }
  GElf_Shdr section_header;
  Elf_Scn* section = symbol_section(elf.get(), section_header);
  Elf_Data* data = section == nullptr ? nullptr : elf_getdata(section, nullptr);
  if (data == nullptr || section_header.sh_entsize == 0) {
    return fail(Errc::not_found, "an ELF image without symbols (stripped)");
  }
  SymbolTable table;
  const std::uint64_t count = data->d_size / section_header.sh_entsize;
  for (std::uint64_t i = 0; i < count && i < 0x7fffffff; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) {
      break;
    }
    const unsigned type = GELF_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || type == STT_FILE || type == STT_SECTION || type == STT_TLS) {
      continue;
    }
    if (const char* name = elf_strptr(elf.get(), section_header.sh_link, symbol.st_name); name != nullptr) {
      const bool thumb = arch == ArchId::arm32 && type == STT_FUNC;
      table.add(thumb ? symbol.st_value & ~std::uint64_t{1} : symbol.st_value, symbol.st_size, letter_of(symbol), name);
    }
  }
  if (table.empty()) {
    return fail(Errc::not_found, "an ELF image without symbols (stripped)");
  }
  table.sort();
  return table;
}

}  // namespace xstack
