// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/dwarf_lines.h"

#include <gelf.h>

#include <algorithm>
#include <cstring>

namespace xstack {
namespace {

constexpr std::size_t kMaxUnits = 1U << 20;  // a kernel has some 3000

/// libdw has unpacked it, when it was compressed.
std::span<const std::byte> find_line_section(Dwarf* dwarf) {
  Elf* elf = dwarf_getelf(dwarf);
  std::size_t names = 0;
  if (elf == nullptr || elf_getshdrstrndx(elf, &names) != 0) {
    return {};
  }
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) {
      continue;
    }
    const char* name = elf_strptr(elf, names, header.sh_name);
    if (name == nullptr || (std::strcmp(name, ".debug_line") != 0 && std::strcmp(name, ".zdebug_line") != 0)) {
      continue;
    }
    const Elf_Data* data = elf_rawdata(section, nullptr);
    return data != nullptr && data->d_buf != nullptr
               ? std::span(static_cast<const std::byte*>(data->d_buf), data->d_size)
               : std::span<const std::byte>();
  }
  return {};
}

}  // namespace

DwarfLines::DwarfLines(Dwarf* dwarf) : dwarf_(dwarf), line_section_(find_line_section(dwarf)) {}

void DwarfLines::read_unit_ranges() {
  auto& all = unit_ranges_.emplace();
  Dwarf_Off at = 0;
  Dwarf_Off next = 0;
  std::size_t header = 0;
  for (std::size_t i = 0; i < kMaxUnits && dwarf_nextcu(dwarf_, at, &next, &header, nullptr, nullptr, nullptr) == 0;
       ++i) {
    Dwarf_Die die;
    if (dwarf_offdie(dwarf_, at + header, &die) != nullptr) {
      for (const AddressRange& range : ranges_of(die, budget_)) {
        all.push_back({range, at + header});
      }
    }
    if (next <= at) {
      break;
    }
    at = next;
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const UnitRange& a, const UnitRange& b) { return a.range.begin < b.range.begin; });
}

std::optional<Dwarf_Die> DwarfLines::unit_at(std::uint64_t address) {
  Dwarf_Die die;
  if (dwarf_addrdie(dwarf_, address, &die) != nullptr) {
    return die;
  }
  if (!unit_ranges_) {
    read_unit_ranges();
  }
  const auto above = std::upper_bound(unit_ranges_->begin(), unit_ranges_->end(), address,
                                      [](std::uint64_t value, const UnitRange& u) { return value < u.range.begin; });
  if (above == unit_ranges_->begin() || !(above - 1)->range.holds(address) ||
      dwarf_offdie(dwarf_, (above - 1)->unit, &die) == nullptr) {
    return std::nullopt;
  }
  return die;
}

std::vector<SourcePlace> DwarfLines::places_at(std::uint64_t address) {
  auto die = unit_at(address);
  if (!die) {
    return {};
  }
  auto& unit = units_[dwarf_dieoffset(&*die)];
  if (!unit) {
    unit = std::make_unique<DwarfUnit>(*die, line_section_, budget_);
  }
  return unit->places_at(address);
}

}  // namespace xstack
