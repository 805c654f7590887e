// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/elf_sections.h"

#include <elfutils/libdwelf.h>
#include <fmt/format.h>

#include <cstring>
#include <memory>

#include "base/checked.h"
#include "base/endian.h"

namespace xstack {
namespace {

constexpr std::uint64_t kMaxUnpacked = std::uint64_t{4} << 30;
constexpr std::uint64_t kMaxRatio = 1040;

/// The name of a section, null when it has none that can be read.
const char* section_name(Elf* elf, const GElf_Shdr& header) {
  std::size_t names = 0;
  return elf_getshdrstrndx(elf, &names) == 0 ? elf_strptr(elf, names, header.sh_name) : nullptr;
}

/// The size that a section claims to unpack to; nothing when it is not compressed.
std::uint64_t unpacked_size(Elf* elf, Elf_Scn* section, const GElf_Shdr& header) {
  GElf_Chdr compression;
  if ((header.sh_flags & SHF_COMPRESSED) != 0) {
    return gelf_getchdr(section, &compression) != nullptr ? compression.ch_size : 0;
  }
  // GNU's older form: ".zdebug_x", "ZLIB", the size in eight bytes, big end first.
  const char* name = section_name(elf, header);
  if (name == nullptr || std::strncmp(name, ".zdebug", 7) != 0) {
    return 0;
  }
  const Elf_Data* data = elf_rawdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr || data->d_size < 12) {
    return 0;
  }
  std::uint64_t size = 0;
  for (std::size_t i = 4; i < 12; ++i) {
    size = size << 8U | static_cast<const unsigned char*>(data->d_buf)[i];
  }
  return size;
}

}  // namespace

Elf_Scn* symbol_section(Elf* elf, GElf_Shdr& header) {
  Elf_Scn* dynamic = nullptr;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr; section = elf_nextscn(elf, section)) {
    if (gelf_getshdr(section, &header) == nullptr) {
      continue;
    }
    if (header.sh_type == SHT_SYMTAB) {
      return section;
    }
    if (header.sh_type == SHT_DYNSYM) {
      dynamic = section;
    }
  }
  return dynamic != nullptr && gelf_getshdr(dynamic, &header) != nullptr ? dynamic : nullptr;
}

std::optional<std::string> build_id_of(Elf* elf) {
  const void* bytes = nullptr;
  const ssize_t size = dwelf_elf_gnu_build_id(elf, &bytes);
  if (size < 8 || size > 32) {
    return std::nullopt;
  }
  std::string hex;
  for (ssize_t i = 0; i < size; ++i) {
    hex += fmt::format("{:02x}", static_cast<const unsigned char*>(bytes)[i]);
  }
  return hex;
}

std::optional<std::string> build_id_of(std::span<const std::byte> image) {
  elf_version(EV_CURRENT);
  // elf_memory() takes a pointer to bytes that may be written, but reading is all that is done with them here.
  auto* bytes = const_cast<char*>(reinterpret_cast<const char*>(image.data()));
  const std::unique_ptr<Elf, int (*)(Elf*)> elf(elf_memory(bytes, image.size()), elf_end);
  return elf && elf_kind(elf.get()) == ELF_K_ELF ? build_id_of(elf.get()) : std::nullopt;
}

bool has_section(Elf* elf, std::string_view name) {
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS || header.sh_size == 0) {
      continue;
    }
    const char* here = section_name(elf, header);
    if (here != nullptr && name == here) {
      return true;
    }
  }
  return false;
}

bool has_compressed_sections(Elf* elf) {
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) {
      continue;
    }
    const char* name = section_name(elf, header);
    if ((header.sh_flags & SHF_COMPRESSED) != 0 || (name != nullptr && std::strncmp(name, ".zdebug", 7) == 0)) {
      return true;
    }
  }
  return false;
}

bool unpacked_sizes_are_sane(Elf* elf) {
  std::uint64_t all = 0;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) {
      continue;
    }
    const std::uint64_t size = unpacked_size(elf, section, header);
    const auto most = checked_mul(header.sh_size, kMaxRatio);
    if (size > kMaxUnpacked || (most && size > *most + kMaxRatio) || (all += size) > kMaxUnpacked) {
      return false;
    }
  }
  return true;
}

void for_each_symbol(Elf* elf, const std::function<bool(const ElfSymbolView&)>& visit) {
  GElf_Shdr header;
  Elf_Scn* section = symbol_section(elf, header);
  Elf_Data* data = section == nullptr ? nullptr : elf_getdata(section, nullptr);
  if (data == nullptr || header.sh_entsize == 0) {
    return;
  }
  const std::uint64_t count = data->d_size / header.sh_entsize;
  for (std::uint64_t i = 0; i < count && i < 0x7fffffff; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) {
      return;
    }
    const char* name = symbol.st_name == 0 ? nullptr : elf_strptr(elf, header.sh_link, symbol.st_name);
    if (name != nullptr && *name != '\0' &&
        !visit({name, symbol.st_value, symbol.st_size, symbol.st_shndx, GELF_ST_TYPE(symbol.st_info) == STT_FUNC})) {
      return;
    }
  }
}

}  // namespace xstack
