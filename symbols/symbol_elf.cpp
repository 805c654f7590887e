// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>
#include <gelf.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>

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

/// A section of strings. elf_strptr() looks the section up and checks its end anew for each of 200,000 names.
class Strings {
 public:
  Strings(Elf* elf, std::size_t section) {
    Elf_Scn* found = elf_getscn(elf, section);
    GElf_Shdr header;
    if (found == nullptr || gelf_getshdr(found, &header) == nullptr || header.sh_type != SHT_STRTAB) {
      return;
    }
    const Elf_Data* data = elf_getdata(found, nullptr);
    if (data != nullptr && data->d_buf != nullptr) {
      text_ = std::string_view(static_cast<const char*>(data->d_buf), data->d_size);
    }
  }
  [[nodiscard]] std::size_t size() const { return text_.size(); }
  /// Nothing when there is no end within the section.
  [[nodiscard]] std::optional<std::string_view> at(std::size_t offset) const {
    const std::size_t end = offset < text_.size() ? text_.find('\0', offset) : std::string_view::npos;
    return end == std::string_view::npos ? std::nullopt : std::optional(text_.substr(offset, end - offset));
  }

 private:
  std::string_view text_;
};

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
  const Strings names(elf.get(), section_header.sh_link);
  SymbolTable table;
  const std::uint64_t count = data->d_size / section_header.sh_entsize;
  table.reserve(std::min<std::uint64_t>(count, data->d_size / sizeof(Elf32_Sym)), names.size());
  for (std::uint64_t i = 0; i < count && i < 0x7fffffff; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) {
      break;
    }
    const unsigned type = GELF_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || type == STT_FILE || type == STT_SECTION || type == STT_TLS) {
      continue;
    }
    if (const auto name = names.at(symbol.st_name)) {
      const bool thumb = arch == ArchId::arm32 && type == STT_FUNC;
      table.add(thumb ? symbol.st_value & ~std::uint64_t{1} : symbol.st_value, symbol.st_size, letter_of(symbol),
                *name);
    }
  }
  if (table.empty()) {
    return fail(Errc::not_found, "an ELF image without symbols (stripped)");
  }
  table.sort();
  return table;
}

}  // namespace xstack
