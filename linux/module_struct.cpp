// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/module_struct.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "base/endian.h"

namespace xstack {
namespace {

constexpr std::uint32_t kMaxModuleBytes = 256U << 20;
constexpr std::uint32_t kMaxSymbols = 1U << 20;
constexpr std::uint64_t kMaxDistance = std::uint64_t{4} << 30;  // from a struct module to its text
constexpr std::size_t kMaxStride = 128;

/// Members of one struct module by offset; what lies outside reads as zero, which is never a member looked for.
class Fields {
 public:
  Fields(const ModuleBytes& module, unsigned word_size) : module_(module), word_size_(word_size) {}

  [[nodiscard]] std::uint64_t word(std::size_t at) const {
    return word_size_ == 4 ? half(at) : load_le_at<std::uint64_t>(module_.bytes, at).value_or(0);
  }
  [[nodiscard]] std::uint32_t half(std::size_t at) const {
    return load_le_at<std::uint32_t>(module_.bytes, at).value_or(0);
  }
  [[nodiscard]] std::uint64_t self() const { return module_.at.value; }

 private:
  const ModuleBytes& module_;
  unsigned word_size_;
};

struct Area {
  std::uint64_t base = 0;
  std::uint32_t size = 0;
  std::size_t size_at = 0;
  [[nodiscard]] bool holds(std::uint64_t address) const { return address >= base && address - base < size; }
};

/// {base, size} or {base, is_rox, size} (6.13 on) at `at`: a page-aligned base and a size that a module may have.
std::optional<Area> area_at(const Fields& fields, std::size_t at, unsigned word_size) {
  Area area{fields.word(at), fields.half(at + word_size), at + word_size};
  if (area.size <= 1) {
    area.size_at += 4;
    area.size = fields.half(area.size_at);
  }
  const std::uint64_t distance = area.base > fields.self() ? area.base - fields.self() : fields.self() - area.base;
  const bool sane = area.base != 0 && area.base % kXenPageSize == 0 && area.size > 1 && area.size <= kMaxModuleBytes &&
                    distance < kMaxDistance;
  return sane ? std::optional(area) : std::nullopt;
}

std::size_t first_member(unsigned word_size) {
  return 3 * std::size_t{word_size} + 64 - word_size;
}

using MemoryVote = std::tuple<ModuleLayout::Memory, std::size_t, std::size_t>;  // kind, offset, stride

std::optional<MemoryVote> vote_memory(const Fields& fields, unsigned word_size) {
  for (std::size_t at = first_member(word_size); at + 64 < ModuleBytes::kSize; at += word_size) {
    const auto area = area_at(fields, at, word_size);
    if (!area) {
      continue;
    }
    const std::uint32_t text = fields.half(at + word_size + 4);
    if (area->holds(fields.self()) && area->size_at == at + word_size && text > 0 && text <= area->size) {
      return MemoryVote{ModuleLayout::Memory::layout, at, 0};
    }
    if (area->holds(fields.self())) {
      continue;
    }
    // Text first, then the data, in which the structure itself is.
    for (std::size_t stride = 2 * std::size_t{word_size}; stride <= kMaxStride; stride += word_size) {
      if (const auto data = area_at(fields, at + stride, word_size); data && data->holds(fields.self())) {
        return MemoryVote{ModuleLayout::Memory::array, at, stride};
      }
    }
  }
  return std::nullopt;
}

/// {symtab, num, strtab} at `at` when the strings follow the symbols without a gap, as they do in the copy that stays
/// after a module was loaded.
std::optional<ModuleTable> core_table_at(const Fields& fields, std::size_t at, unsigned word_size) {
  const ModuleTable table{GuestVirt(fields.word(at)), fields.half(at + word_size),
                          GuestVirt(fields.word(at + 2 * std::size_t{word_size}))};
  const std::uint64_t symbol = word_size == 4 ? 16 : 24;
  const bool right = table.symtab.value != 0 && table.count > 0 && table.count <= kMaxSymbols &&
                     table.strtab == table.symtab + table.count * symbol;
  return right ? std::optional(table) : std::nullopt;
}

/// The same in the form up to 4.4, where each member stands beside its copy that stays.
std::optional<ModuleTable> old_table_at(const Fields& fields, std::size_t at, unsigned word_size) {
  const std::size_t counts = at + 2 * std::size_t{word_size};
  const ModuleTable table{GuestVirt(fields.word(at)), fields.half(counts), GuestVirt(fields.word(counts + 8))};
  const std::uint64_t symbol = word_size == 4 ? 16 : 24;
  const bool right = table.symtab.value != 0 && fields.word(at + word_size) == table.symtab.value &&
                     fields.half(counts + 4) == table.count &&
                     fields.word(counts + 8 + word_size) == table.strtab.value && table.count > 0 &&
                     table.count <= kMaxSymbols && table.strtab == table.symtab + table.count * symbol;
  return right ? std::optional(table) : std::nullopt;
}

/// Offset in the structure that the pointer at `at` points to, if it does.
std::optional<std::size_t> own_pointer(const Fields& fields, std::size_t at, unsigned word_size) {
  const std::uint64_t offset = fields.word(at) - fields.self();
  return offset > at && offset < ModuleBytes::kSize && offset % word_size == 0
             ? std::optional(static_cast<std::size_t>(offset))
             : std::nullopt;
}

using SymbolsVote = std::pair<ModuleLayout::Symbols, std::size_t>;

std::optional<SymbolsVote> vote_symbols(const Fields& fields, unsigned word_size) {
  for (std::size_t at = first_member(word_size); at + 64 < ModuleBytes::kSize; at += word_size) {
    if (const auto target = own_pointer(fields, at, word_size); target && core_table_at(fields, *target, word_size)) {
      return SymbolsVote{ModuleLayout::Symbols::pointer, at};
    }
    if (old_table_at(fields, at, word_size)) {
      return SymbolsVote{ModuleLayout::Symbols::members, at};
    }
  }
  return std::nullopt;
}

template <class Vote>
std::optional<Vote> most_common(const std::map<Vote, unsigned>& votes) {
  const auto best =
      std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return best == votes.end() ? std::nullopt : std::optional(best->first);
}

}  // namespace

ModuleLayout tell_module_layout(std::span<const ModuleBytes> modules, unsigned word_size) {
  std::map<MemoryVote, unsigned> memory;
  std::map<SymbolsVote, unsigned> symbols;
  for (const ModuleBytes& module : modules) {
    const Fields fields(module, word_size);
    if (const auto vote = vote_memory(fields, word_size)) {
      ++memory[*vote];
    }
    if (const auto vote = vote_symbols(fields, word_size)) {
      ++symbols[*vote];
    }
  }
  ModuleLayout layout;
  if (const auto best = most_common(memory)) {
    std::tie(layout.memory, layout.text, layout.stride) = *best;
  }
  if (const auto best = most_common(symbols)) {
    std::tie(layout.symbols_kind, layout.symbols) = *best;
  }
  return layout;
}

FoundModule read_module(VirtMemory& search, const ModuleBytes& module, const ModuleLayout& layout, unsigned word_size) {
  const Fields fields(module, word_size);
  FoundModule found;
  found.module.name = module.name;
  found.module.structure = module.at;
  const auto set = [](std::uint64_t base, std::uint32_t size, GuestVirt& begin, GuestVirt& end) {
    begin = GuestVirt(base);
    end = GuestVirt(base) + size;
  };
  KernelModule& m = found.module;
  m.state = fields.half(0);
  const auto core =
      layout.memory == ModuleLayout::Memory::none ? std::nullopt : area_at(fields, layout.text, word_size);
  if (layout.memory == ModuleLayout::Memory::array) {
    if (core) {
      set(core->base, core->size, m.text_begin, m.text_end);
    }
    if (const auto init = area_at(fields, layout.text + 4 * layout.stride, word_size)) {
      set(init->base, init->size, m.init_text_begin, m.init_text_end);
    }
    if (core) {
      // enum mod_mem_type: text, data, read-only data, read-only after init; then the same of init.
      const auto bytes = [&](std::size_t first, std::size_t last) {
        std::uint64_t sum = 0;
        for (std::size_t i = first; i <= last; ++i) {
          const auto area = area_at(fields, layout.text + i * layout.stride, word_size);
          sum += area ? area->size : 0;
        }
        return sum;
      };
      m.size = bytes(0, 3);
      m.init_size = bytes(4, 6);
    }
  } else if (core) {
    set(core->base, std::min(fields.half(layout.text + word_size + 4), core->size), m.text_begin, m.text_end);
    m.size = core->size;
    m.init_size = 0;
    // init_layout follows core_layout, whose size differs; it is empty unless the module is just loading.
    for (std::size_t at = layout.text + 3 * std::size_t{word_size}; at <= layout.text + kMaxStride; at += word_size) {
      const auto init = area_at(fields, at, word_size);
      const std::uint32_t text = fields.half(at + word_size + 4);
      if (init && init->size_at == at + word_size && !init->holds(fields.self()) && init->base != core->base &&
          text > 0 && text <= init->size) {
        set(init->base, text, m.init_text_begin, m.init_text_end);
        m.init_size = init->size;
        break;
      }
    }
  }
  if (layout.symbols_kind == ModuleLayout::Symbols::members) {
    found.table =
        ModuleTable{GuestVirt(fields.word(layout.symbols)), fields.half(layout.symbols + 2 * std::size_t{word_size}),
                    GuestVirt(fields.word(layout.symbols + 2 * std::size_t{word_size} + 8))};
  } else if (layout.symbols_kind == ModuleLayout::Symbols::pointer) {
    if (const auto target = own_pointer(fields, layout.symbols, word_size)) {
      found.table = core_table_at(fields, *target, word_size);
    } else if (const GuestVirt table(fields.word(layout.symbols)); table.value != 0) {
      // Still loading: the whole table, in the module's init memory.
      const auto symtab = search.read_word(table, word_size);
      const auto count = search.read_value<std::uint32_t>(table + word_size);
      const auto strtab = search.read_word(table + 2 * std::uint64_t{word_size}, word_size);
      if (symtab && count && strtab && *count <= kMaxSymbols) {
        found.table = ModuleTable{GuestVirt(*symtab), *count, GuestVirt(*strtab)};
      }
    }
  }
  m.symbols = found.table ? std::optional(found.table->count) : std::nullopt;
  return found;
}

}  // namespace xstack
