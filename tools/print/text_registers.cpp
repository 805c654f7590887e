// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/print/text.h"

namespace xstack::text {
namespace {

using Row = std::vector<std::string_view>;

/// The order in which people of each architecture look for registers. Names that the table lacks are left out; what no
/// row names comes after.
std::span<const Row> usual_rows(ArchId arch) {
  static const std::array kArm32 = {Row{"pc", "lr", "sp", "cpsr"}, Row{"r0", "r1", "r2", "r3"},
                                    Row{"r4", "r5", "r6", "r7"}, Row{"r8", "r9", "r10", "r11", "r12"}};
  static const std::array kArm64 = {Row{"pc", "sp", "pstate", "cpsr"},
                                    Row{"x0", "x1", "x2"},
                                    Row{"x3", "x4", "x5"},
                                    Row{"x6", "x7", "x8"},
                                    Row{"x9", "x10", "x11"},
                                    Row{"x12", "x13", "x14"},
                                    Row{"x15", "x16", "x17"},
                                    Row{"x18", "x19", "x20"},
                                    Row{"x21", "x22", "x23"},
                                    Row{"x24", "x25", "x26"},
                                    Row{"x27", "x28", "x29"},
                                    Row{"x30", "lr", "spsr_el1"}};
  static const std::array kX86_32 = {Row{"eip", "esp", "eflags"}, Row{"eax", "ebx", "ecx", "edx"},
                                     Row{"esi", "edi", "ebp"}, Row{"cs", "ss", "ds", "es", "fs", "gs"}};
  static const std::array kX86_64 = {Row{"rip", "rsp", "rflags"},
                                     Row{"rax", "rbx", "rcx"},
                                     Row{"rdx", "rsi", "rdi"},
                                     Row{"rbp", "r8", "r9"},
                                     Row{"r10", "r11", "r12"},
                                     Row{"r13", "r14", "r15"},
                                     Row{"cs", "ss", "ds", "es", "fs", "gs"}};
  switch (arch) {
    case ArchId::arm32:
      return kArm32;
    case ArchId::arm64:
      return kArm64;
    case ArchId::x86_32:
      return kX86_32;
    case ArchId::x86_64:
      break;
  }
  return kX86_64;
}

std::string value_text(const CpuState& cpu, std::size_t index) {
  const unsigned bits = cpu.arch->registers[index].bits;
  const auto value = cpu.regs.get(static_cast<RegisterIndex>(index));
  return value ? hex(*value, bits) : fmt::format("{:<{}}", "unknown", bits / 4);
}

std::string cell(const CpuState& cpu, std::size_t index, std::size_t name_width) {
  return fmt::format(" {:>{}}: {}", cpu.arch->registers[index].name, name_width, value_text(cpu, index));
}

std::string trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

/// The registers at `indices`, so many a line that it stays below 80 columns.
std::string block(const CpuState& cpu, std::span<const std::size_t> indices) {
  std::size_t name_width = 0;
  std::size_t cell_width = 0;
  for (const std::size_t i : indices) {
    const auto& info = cpu.arch->registers[i];
    name_width = std::max(name_width, std::string_view(info.name).size());
    cell_width = std::max<std::size_t>(cell_width, info.bits / 4);
  }
  const std::size_t per_line = std::max<std::size_t>(1, 76 / (name_width + cell_width + 3));
  std::string out;
  std::string line = "  ";
  for (std::size_t n = 0; n < indices.size(); ++n) {
    line += cell(cpu, indices[n], name_width);
    if ((n + 1) % per_line == 0 || n + 1 == indices.size()) {
      out += trimmed(line);
      line = "  ";
    }
  }
  return out;
}

/// Is this one of the registers that unwinding and people need of every bank, as opposed to FIQ's own r8..r12?
bool is_chief(std::string_view name) {
  return name.starts_with("sp") || name.starts_with("lr") || name.starts_with("elr");
}

/// "sp_irq" of bank "IRQ" is "sp".
std::string_view without_bank(std::string_view name) {
  return name.substr(0, name.find('_'));
}

std::string banks(const CpuState& cpu, bool in_full, const Style& style) {
  const auto table = cpu.arch->registers;
  std::vector<std::string_view> names;
  std::size_t width = 0;
  for (const auto& info : table) {
    if (info.bank != nullptr && std::ranges::find(names, info.bank) == names.end()) {
      names.emplace_back(info.bank);
      width = std::max(width, names.back().size());
    }
  }
  std::string out;
  for (const auto bank : names) {
    const bool current = cpu.current_bank != nullptr && bank == cpu.current_bank;
    std::string line = fmt::format("  {}{:>{}}:", current ? '*' : ' ', bank, width);
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (table[i].bank != nullptr && bank == table[i].bank && (in_full || is_chief(table[i].name))) {
        line += fmt::format("  {} {}", without_bank(table[i].name), value_text(cpu, i));
      }
    }
    if (current) {
      line += "  (current)";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += (current ? style.title(line) : line) + "\n";
  }
  return out;
}

}  // namespace

std::string registers(const CpuState& cpu, const View& view, const Style& style) {
  if (cpu.arch == nullptr) {
    return "";
  }
  const auto table = cpu.arch->registers;
  std::vector<bool> done(table.size());
  std::size_t width = 0;
  for (const auto& info : table) {
    if (info.group == RegisterGroup::general) {
      width = std::max(width, std::string_view(info.name).size());
    }
  }
  std::string out;
  for (const auto& row : usual_rows(cpu.arch->id)) {
    std::string line = "  ";
    for (const auto name : row) {
      const auto it = std::ranges::find(table, name, [](const RegisterInfo& r) { return std::string_view(r.name); });
      if (it != table.end() && it->bank == nullptr) {
        const auto index = static_cast<std::size_t>(it - table.begin());
        line += cell(cpu, index, width);
        done[index] = true;
      }
    }
    if (line.find_first_not_of(' ') != std::string::npos) {
      out += trimmed(line);
    }
  }
  std::vector<std::size_t> rest;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const bool shown = table[i].group == RegisterGroup::system ? view.all_registers : table[i].bank == nullptr;
    if (!done[i] && shown && table[i].bank == nullptr) {
      rest.push_back(i);
    }
  }
  const auto is_system = [&](std::size_t i) { return table[i].group == RegisterGroup::system; };
  const auto system = std::stable_partition(rest.begin(), rest.end(), [&](std::size_t i) { return !is_system(i); });
  out += block(cpu, std::span(rest.begin(), system));
  out += banks(cpu, view.all_registers, style);
  out += block(cpu, std::span(system, rest.end()));
  return out;
}

}  // namespace xstack::text
