// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/debug_file.h"

#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <fmt/format.h>
#include <gelf.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "guest/dump/input_file.h"
#include "symbols/dwarf_lines.h"
#include "symbols/elf_machine.h"
#include "symbols/elf_sections.h"
#include "symbols/relocatable.h"

namespace xstack {
namespace {

constexpr std::size_t kMaxFunctions = 1U << 20;
constexpr std::size_t kMaxName = 512;  // KSYM_NAME_LEN

}  // namespace

struct DebugFile::Parts {
  std::string path;
  std::shared_ptr<const InputFile> input;
  std::span<const std::byte> bytes;
  std::vector<std::byte> own_bytes;  ///< a copy of `bytes`, where libelf has to write
  std::unique_ptr<Elf, int (*)(Elf*)> elf{nullptr, elf_end};
  ArchId arch{};
  std::optional<std::string> build_id;
  bool relocatable = false;
  bool has_dwarf = false;
  bool opened = false;
  std::unique_ptr<RelocatableDwarf> relocated;
  std::unique_ptr<Dwarf, int (*)(Dwarf*)> dwarf{nullptr, dwarf_end};
  std::unique_ptr<DwarfLines> lines;
  std::optional<std::vector<FileFunction>> functions;

  /// Once; what cannot be opened has no lines.
  void open_dwarf() {
    if (std::exchange(opened, true) || !has_dwarf || !unpacked_sizes_are_sane(elf.get())) {
      return;
    }
    if (relocatable) {
      open_relocated();
      if (relocated && relocated->dwarf() != nullptr) {
        lines = std::make_unique<DwarfLines>(relocated->dwarf());
      }
      return;
    }
    if (has_compressed_sections(elf.get())) {
      // libelf marks what it has unpacked in the section headers, and these lie in bytes that are not ours to write.
      own_bytes.assign(bytes.begin(), bytes.end());
      elf.reset(elf_memory(reinterpret_cast<char*>(own_bytes.data()), own_bytes.size()));
      if (!elf) {
        return;
      }
    }
    dwarf.reset(dwarf_begin_elf(elf.get(), DWARF_C_READ, nullptr));
    if (dwarf) {
      lines = std::make_unique<DwarfLines>(dwarf.get());
    }
  }

  void open_relocated() {
    if (!relocated) {
      relocated = RelocatableDwarf::open(bytes);
    }
  }
};

DebugFile::DebugFile(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
DebugFile::~DebugFile() = default;

Result<std::unique_ptr<DebugFile>> DebugFile::open(const std::string& path, std::optional<ArchId> arch) {
  auto input = InputFile::open(path);
  if (!input) {
    return tl::unexpected(input.error());
  }
  auto parts = std::make_unique<Parts>();
  parts->path = path;
  parts->input = std::move(*input);
  parts->bytes = parts->input->bytes();
  auto file = make(std::move(parts), arch);
  return file ? std::move(file) : fail(path, file.error());
}

Result<std::unique_ptr<DebugFile>> DebugFile::from_bytes(std::span<const std::byte> bytes, std::optional<ArchId> arch) {
  auto parts = std::make_unique<Parts>();
  parts->bytes = bytes;
  return make(std::move(parts), arch);
}

Result<std::unique_ptr<DebugFile>> DebugFile::make(std::unique_ptr<Parts> parts, std::optional<ArchId> arch) {
  elf_version(EV_CURRENT);
  // elf_memory() takes a pointer to bytes that may be written, but reading is all that is done with them here.
  auto* bytes = const_cast<char*>(reinterpret_cast<const char*>(parts->bytes.data()));
  parts->elf.reset(elf_memory(bytes, parts->bytes.size()));
  GElf_Ehdr header;
  if (!parts->elf || elf_kind(parts->elf.get()) != ELF_K_ELF || gelf_getehdr(parts->elf.get(), &header) == nullptr ||
      header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return fail(Errc::bad_format, "not an ELF file");
  }
  const auto machine = arch_of_elf_machine(header.e_machine);
  if (!machine || (arch && *machine != *arch)) {
    return fail(Errc::unsupported,
                arch ? fmt::format("an ELF file for another machine ({}) than the guest's ({})", header.e_machine,
                                   to_string(*arch))
                     : fmt::format("an ELF file for a machine ({}) that is not supported", header.e_machine));
  }
  parts->arch = *machine;
  parts->relocatable = header.e_type == ET_REL;
  parts->build_id = build_id_of(parts->elf.get());
  for (const char* name : {".debug_info", ".zdebug_info"}) {
    parts->has_dwarf = parts->has_dwarf || has_section(parts->elf.get(), name);
  }
  return std::unique_ptr<DebugFile>(new DebugFile(std::move(parts)));
}

const std::string& DebugFile::path() const {
  return parts_->path;
}

ArchId DebugFile::arch() const {
  return parts_->arch;
}

const std::optional<std::string>& DebugFile::build_id() const {
  return parts_->build_id;
}

bool DebugFile::relocatable() const {
  return parts_->relocatable;
}

bool DebugFile::has_dwarf() const {
  return parts_->has_dwarf;
}

std::span<const std::byte> DebugFile::bytes() const {
  return parts_->bytes;
}

std::optional<DebugLink> DebugFile::debug_link() const {
  GElf_Word crc = 0;
  const char* name = dwelf_elf_gnu_debuglink(parts_->elf.get(), &crc);
  if (name == nullptr || *name == '\0' || std::strchr(name, '/') != nullptr) {
    return std::nullopt;
  }
  return DebugLink{name, crc};
}

std::vector<SourcePlace> DebugFile::places_at(std::uint64_t address) {
  parts_->open_dwarf();
  return parts_->lines ? parts_->lines->places_at(address) : std::vector<SourcePlace>();
}

SymbolTable DebugFile::symbols_named(std::span<const std::string_view> names) const {
  SymbolTable found;
  std::size_t left = names.size();
  for_each_symbol(parts_->elf.get(), [&](const ElfSymbolView& symbol) {
    if (symbol.section != SHN_UNDEF && std::find(names.begin(), names.end(), symbol.name) != names.end()) {
      found.add(symbol.value, symbol.size, 'T', symbol.name);
      --left;
    }
    return left > 0;
  });
  found.sort();
  return found;
}

const std::vector<FileFunction>& DebugFile::functions() {
  if (parts_->functions) {
    return *parts_->functions;
  }
  auto& all = parts_->functions.emplace();
  if (!parts_->relocatable) {
    return all;
  }
  parts_->open_relocated();
  if (!parts_->relocated) {
    return all;
  }
  for_each_symbol(parts_->elf.get(), [&](const ElfSymbolView& symbol) {
    const auto base = parts_->relocated->section_address(symbol.section);
    if (symbol.function && base && symbol.name.size() <= kMaxName) {
      const std::uint64_t value = parts_->arch == ArchId::arm32 ? symbol.value & ~std::uint64_t{1} : symbol.value;
      all.push_back({std::string(symbol.name), symbol.section, *base + value, symbol.size});
    }
    return all.size() < kMaxFunctions;
  });
  return all;
}

}  // namespace xstack
