// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/table_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <vector>

#include "linux/kernel_root.h"
#include "linux/vmcoreinfo.h"

namespace xstack {
namespace {

constexpr const char* kFactKey = "tables";

/// Which architectures a VMCOREINFO can be of.
std::vector<ArchId> archs_of(const Vmcoreinfo& info) {
  if (info.number("TCR_EL1_T1SZ") || info.number("kimage_voffset")) {
    return {ArchId::arm64};
  }
  if (info.number("phys_base")) {
    return {ArchId::x86_64};
  }
  return {ArchId::arm32, ArchId::x86_32};
}

/// The forms that the kernel's own word leaves, likeliest first.
std::vector<TableForm> forms_of(const ArchOps& arch, const std::optional<Vmcoreinfo>& info) {
  std::vector<TableForm> forms(arch.table_forms.begin(), arch.table_forms.end());
  if (!info) {
    return forms;
  }
  const auto keep = [&](auto&& good) { std::erase_if(forms, [&](const TableForm& form) { return !good(form); }); };
  switch (arch.id) {
    case ArchId::arm64: {
      std::uint64_t page = 4096;
      if (const auto text = info->value("PAGESIZE")) {
        std::from_chars(text->data(), text->data() + text->size(), page);
      }
      keep([&](const TableForm& form) { return page == std::uint64_t{1} << form.granule_shift; });
      const auto t1sz = info->number("TCR_EL1_T1SZ");  // of the running kernel; VA_BITS is what it was built for
      const auto bits = t1sz ? std::optional(64 - *t1sz) : std::nullopt;
      if (bits && *bits >= 30 && *bits <= 52 && !forms.empty()) {
        const unsigned shift = forms.front().granule_shift;
        forms = {{.granule_shift = shift, .va_bits = static_cast<unsigned>(*bits)}};
      }
      break;
    }
    case ArchId::x86_64:
      if (const auto five = info->number("pgtable_l5_enabled")) {
        keep([&](const TableForm& form) { return (form.levels == 5) == (*five != 0); });
      }
      break;
    case ArchId::arm32:
      keep([&](const TableForm& form) { return (form.levels == 3) == (info->value("CONFIG_ARM_LPAE") == "y"); });
      break;
    case ArchId::x86_32:
      keep([&](const TableForm& form) { return (form.levels == 3) == (info->value("CONFIG_X86_PAE") == "y"); });
      break;
  }
  return forms;
}

/// A root is believed when its tables say of it, and of the kernel's code, what VMCOREINFO says.
class BySymbols {
 public:
  BySymbols(PhysMemory& memory, GuestVirt directory, GuestVirt text)
      : memory_(memory), directory_(directory), text_(text) {}

  bool operator()(const Translation& tables, GuestPhys root) const {
    const auto own = tables.walk(memory_, directory_);
    if (!own || own->phys != root) {
      return false;
    }
    const auto code = tables.walk(memory_, text_);
    return code && code->phys.value - root.value == text_.value - directory_.value &&
           memory_.read_value<std::uint32_t>(code->phys).has_value();
  }

 private:
  PhysMemory& memory_;
  GuestVirt directory_;
  GuestVirt text_;
};

/// Without symbols a root is believed when its tables map what the registers point to.
class ByRegisters {
 public:
  ByRegisters(PhysMemory& memory, std::span<const CpuState> cpus) : memory_(memory) {
    for (const CpuState& cpu : cpus) {
      const auto pc = cpu.regs.get(cpu.arch->pc);
      const auto sp = cpu.regs.get(cpu.arch->sp);
      if (!cpu.user && pc && sp && *pc != 0 && *sp >= cpu.arch->word_size) {
        wanted_.emplace_back(*pc);
        wanted_.emplace_back(*sp - cpu.arch->word_size);  // a stack that is empty ends where its pointer points
      }
    }
  }

  [[nodiscard]] bool possible() const { return !wanted_.empty(); }
  [[nodiscard]] GuestVirt text() const { return wanted_.front(); }

  bool operator()(const Translation& tables, GuestPhys) const {
    std::vector<GuestPhys> seen;
    for (const GuestVirt at : wanted_) {
      const auto found = tables.walk(memory_, at);
      if (!found || !memory_.read_value<std::uint8_t>(found->phys)) {
        return false;
      }
      seen.push_back(found->phys);
    }
    return seen[0].value / kXenPageSize != seen[1].value / kXenPageSize;  // code and stack are not the same page
  }

 private:
  PhysMemory& memory_;
  std::vector<GuestVirt> wanted_;
};

template <class Believe>
std::optional<FoundTables> try_roots(Guest& guest, const ArchOps& arch, std::span<const TableForm> forms,
                                     const Believe& believe) {
  for (const FrameRange& range : guest.ram()) {
    for (std::uint64_t i = 0; i < range.count; ++i) {
      const GuestPhys root = range.first + i * kXenPageSize;
      for (const TableForm& form : forms) {
        if (believe(*arch.translation_of(form, root), root)) {
          return FoundTables{arch.id, root, form, std::nullopt, {}};
        }
      }
    }
  }
  return std::nullopt;
}

std::optional<FoundTables> by_symbols(Guest& guest, const ArchOps& arch, const Vmcoreinfo& info) {
  const auto directory = info.symbol("swapper_pg_dir");
  const auto text = info.symbol("_stext");
  if (!directory || !text) {
    return std::nullopt;
  }
  const BySymbols believe(guest.memory(), *directory, *text);
  const auto forms = forms_of(arch, info);
  for (const std::uint64_t distance : image_distances(guest, arch.id, info)) {
    const GuestPhys root(directory->value - distance);
    for (const TableForm& form : forms) {
      if (believe(*arch.translation_of(form, root), root)) {
        return FoundTables{arch.id, root, form, text, "swapper_pg_dir, where VMCOREINFO says"};
      }
    }
  }
  auto found = try_roots(guest, arch, forms, believe);
  if (found) {
    found->text = text;
    found->how = "found in memory: the tables that map VMCOREINFO's swapper_pg_dir to themselves";
  }
  return found;
}

std::optional<std::uint64_t> number_at(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc()) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  text.remove_prefix(text.starts_with(' ') ? 1 : 0);
  return value;
}

}  // namespace

Result<FoundTables> find_tables(Guest& guest, std::optional<ArchId> arch, std::span<const CpuState> cpus) {
  std::optional<Vmcoreinfo> info;
  if (const auto text = guest.vmcoreinfo()) {
    info = Vmcoreinfo::parse(*text);
  }
  if (!info) {
    info = find_vmcoreinfo(guest);
  }
  if (info) {
    for (const ArchId id : arch ? std::vector{*arch} : archs_of(*info)) {
      if (auto found = by_symbols(guest, arch_ops(id), *info)) {
        return *found;
      }
    }
  }
  const ByRegisters believe(guest.memory(), cpus);
  if (arch && believe.possible()) {
    if (auto found = try_roots(guest, arch_ops(*arch), forms_of(arch_ops(*arch), info), believe)) {
      found->text = believe.text();
      found->how = "found in memory: the first tables that map what the registers point to; perhaps a process's";
      return *found;
    }
  }
  if (!info) {
    return fail(Errc::not_found,
                "no page tables were found: no VMCOREINFO is in the memory, and no registers lead to them");
  }
  return fail(Errc::not_found, "no page tables were found that map the kernel as its VMCOREINFO says");
}

std::pair<std::string, std::string> tables_fact(const FoundTables& tables) {
  return {kFactKey, fmt::format("{:x} {:x} {:x} {:x} {:x} {:x} {}", static_cast<unsigned>(tables.arch),
                                tables.root.value, tables.form.levels, tables.form.granule_shift, tables.form.va_bits,
                                tables.text ? tables.text->value : 0, tables.how)};
}

std::optional<FoundTables> tables_of_facts(const std::map<std::string, std::string>& facts) {
  const auto fact = facts.find(kFactKey);
  if (fact == facts.end()) {
    return std::nullopt;
  }
  std::string_view text = fact->second;
  std::array<std::uint64_t, 6> numbers{};
  for (std::uint64_t& number : numbers) {
    const auto value = number_at(text);
    if (!value) {
      return std::nullopt;
    }
    number = *value;
  }
  const auto [arch, root, levels, granule, bits, code] = numbers;
  if (arch > static_cast<unsigned>(ArchId::x86_64)) {
    return std::nullopt;
  }
  FoundTables tables;
  tables.arch = static_cast<ArchId>(arch);
  tables.root = GuestPhys(root);
  tables.form = {static_cast<unsigned>(levels), static_cast<unsigned>(granule), static_cast<unsigned>(bits)};
  const auto known = arch_ops(tables.arch).table_forms;
  const bool sane = tables.arch == ArchId::arm64
                        ? (granule == 12 || granule == 14 || granule == 16) && bits >= 30 && bits <= 52
                        : std::find(known.begin(), known.end(), tables.form) != known.end();
  if (!sane) {
    return std::nullopt;
  }
  if (code != 0) {
    tables.text = GuestVirt(code);
  }
  tables.how = text.substr(0, 256);
  return tables;
}

}  // namespace xstack
