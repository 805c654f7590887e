// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/module_symbols.h"

#include <algorithm>
#include <array>

#include "base/endian.h"
#include "symbols/aliases.h"

namespace xstack {
namespace {

constexpr std::uint32_t kMaxSymbols = 1U << 18;  // amdgpu, the largest module, has some 30000
constexpr unsigned kPlain = 2;                   // merit of a name that is no alias
constexpr std::size_t kMaxName = 512;            // KSYM_NAME_LEN

/// The members of Elf32_Sym and Elf64_Sym (<elf.h>) that matter here.
struct Symbol {
  std::uint32_t name = 0;
  std::uint16_t section = 0;
  std::uint64_t value = 0;
};

Symbol decode(const std::byte* bytes, unsigned word_size) {
  if (word_size == 4) {
    return {load_le<std::uint32_t>(bytes), load_le<std::uint16_t>(bytes + 14), load_le<std::uint32_t>(bytes + 4)};
  }
  return {load_le<std::uint32_t>(bytes), load_le<std::uint16_t>(bytes + 6), load_le<std::uint64_t>(bytes + 8)};
}

bool inside(GuestVirt address, GuestVirt begin, GuestVirt end) {
  return address >= begin && address < end;
}

}  // namespace

ModuleSymbols::ModuleSymbols(VirtMemory& memory, std::vector<FoundModule> modules, unsigned word_size, bool thumb)
    : memory_(memory), modules_(std::move(modules)), word_size_(word_size), thumb_(thumb) {}

const FoundModule* ModuleSymbols::module_at(GuestVirt address) const {
  const auto hit = std::find_if(modules_.begin(), modules_.end(), [&](const FoundModule& found) {
    const KernelModule& m = found.module;
    return inside(address, m.text_begin, m.text_end) || inside(address, m.init_text_begin, m.init_text_end);
  });
  return hit == modules_.end() ? nullptr : &*hit;
}

std::optional<CodeSymbol> ModuleSymbols::symbol_at(GuestVirt address) {
  const FoundModule* found = module_at(address);
  if (found == nullptr || !found->table) {
    return std::nullopt;
  }
  const KernelModule& m = found->module;
  const bool init = !inside(address, m.text_begin, m.text_end);
  const GuestVirt begin = init ? m.init_text_begin : m.text_begin;
  const GuestVirt end = init ? m.init_text_end : m.text_end;
  const std::size_t size = word_size_ == 4 ? 16 : 24;
  const std::uint32_t count = std::min(found->table->count, kMaxSymbols);

  std::uint64_t next = end.value;
  std::uint64_t best = 0;
  std::string best_name;
  unsigned best_merit = 0;
  // The table is in no order. It is read page by page and not kept: the same page stays cached below.
  std::vector<std::byte> bytes(size * 512);
  for (std::uint32_t first = 0; first < count; first += 512) {
    const std::uint32_t here = std::min<std::uint32_t>(512, count - first);
    const std::span<std::byte> part(bytes.data(), here * size);
    if (!memory_.read(found->table->symtab + std::uint64_t{first} * size, part)) {
      return std::nullopt;
    }
    for (std::uint32_t i = 0; i < here; ++i) {
      Symbol symbol = decode(part.data() + i * size, word_size_);
      symbol.value &= thumb_ ? ~std::uint64_t{1} : ~std::uint64_t{0};
      if (symbol.section == 0 || symbol.name == 0 || !inside(GuestVirt(symbol.value), begin, end)) {
        continue;
      }
      const bool above = symbol.value > address.value;
      if (above ? symbol.value >= next : symbol.value < best || (symbol.value == best && best_merit == kPlain)) {
        continue;
      }
      const auto name = memory_.read_string(found->table->strtab + symbol.name, kMaxName);
      if (!name || name->empty() || is_mapping_symbol(*name)) {
        continue;
      }
      if (above) {
        next = symbol.value;
        continue;
      }
      // The first at an address stays, as in the kernel's own search, unless it is a mere alias.
      const unsigned merit = has_alias_prefix(*name) ? 1 : kPlain;
      if (symbol.value > best || merit > best_merit) {
        best = symbol.value;
        best_name = *name;
        best_merit = merit;
      }
    }
  }
  if (best_merit == 0) {
    return std::nullopt;
  }
  return CodeSymbol{best_name, GuestVirt(best), next - best, m.name};
}

}  // namespace xstack
