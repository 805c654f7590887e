// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/fake_memory.h"

namespace xstack::test {

/// How a kernel's struct module looks. Offsets are of no kernel: they are found by what the structure holds.
struct ModuleForm {
  unsigned word_size = 8;
  bool array = true;                ///< mem[7] (6.4 on), else core_layout and init_layout
  bool rox = false;                 ///< mem[] with is_rox before the size (6.13 on)
  std::uint64_t memory_at = 0x140;  ///< of mem[0] or core_layout
  std::uint64_t stride = 0x48;
  std::uint64_t kallsyms_at = 0x400;  ///< the pointer to struct mod_kallsyms, which follows it
};

struct BuiltModule {
  GuestVirt data;  ///< the page with struct module
  GuestVirt text;  ///< 4096 bytes: functions at 0, 0x100 and 0x200
  GuestVirt symtab;
  GuestVirt list;  ///< the list member
  std::string name;
};

struct BuiltModules {
  GuestVirt head;
  std::vector<BuiltModule> modules;
};

inline void put_word(FakeVirt& memory, GuestVirt at, std::uint64_t value, unsigned word_size) {
  if (word_size == 4) {
    memory.put(at, static_cast<std::uint32_t>(value));
  } else {
    memory.put(at, value);
  }
}

/// Module number `number`, not yet on a list.
inline BuiltModule build_module(FakeVirt& memory, const ModuleForm& form, unsigned number) {
  const unsigned word = form.word_size;
  const std::uint64_t area = (word == 4 ? 0xbf000000 : 0xffffffffc0000000) + number * std::uint64_t{0x10000};
  BuiltModule module{GuestVirt(area + 0x2000), GuestVirt(area), GuestVirt(area + 0x4000), {}, {}};
  module.list = module.data + word;
  module.name = "module_" + std::to_string(number);
  memory.touch(module.text);
  memory.touch(module.data);
  memory.put_bytes(module.data + 3 * word, std::as_bytes(std::span(module.name)));
  const GuestVirt place = module.data + form.memory_at;
  const auto put_area = [&](GuestVirt at, std::uint64_t base, std::uint32_t size) {
    put_word(memory, at, base, word);
    memory.put(at + word, form.rox ? 0U : size);
    if (form.rox) {
      memory.put(at + word + 4, size);
    }
  };
  if (form.array) {
    put_area(place, module.text.value, 0x1000);
    put_area(place + form.stride, module.data.value, 0x2000);
  } else {
    put_word(memory, place, module.text.value, word);
    memory.put(place + word, std::uint32_t{0x4000});
    memory.put(place + word + 4, std::uint32_t{0x1000});
  }
  // Symbols: none, three functions, one mapping symbol, one undefined.
  const std::uint64_t symbol = word == 4 ? 16 : 24;
  struct Row {
    const char* name;
    std::uint64_t value;
    std::uint16_t section;
  };
  const Row rows[] = {{"", 0, 0},
                      {"third", module.text.value + 0x200, 1},
                      {"first", module.text.value, 1},
                      {"$x", module.text.value + 0x104, 1},
                      {"second", module.text.value + 0x100, 1},
                      {"printk", module.text.value + 0x180, 0}};
  const GuestVirt strtab = module.symtab + symbol * std::size(rows);
  std::string strings;
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    const GuestVirt at = module.symtab + symbol * i;
    memory.put(at, static_cast<std::uint32_t>(strings.size()));
    memory.put(at + (word == 4 ? 14 : 6), rows[i].section);
    put_word(memory, at + (word == 4 ? 4 : 8), rows[i].value, word);
    strings += rows[i].name;
    strings.push_back('\0');
  }
  memory.put_bytes(strtab, std::as_bytes(std::span(strings)));
  const GuestVirt table = module.data + form.kallsyms_at + word;
  put_word(memory, module.data + form.kallsyms_at, table.value, word);
  put_word(memory, table, module.symtab.value, word);
  memory.put(table + word, static_cast<std::uint32_t>(std::size(rows)));
  put_word(memory, table + 2 * word, strtab.value, word);
  return module;
}

/// `count` modules and the list that they are on.
inline BuiltModules build_modules(FakeVirt& memory, const ModuleForm& form, unsigned count) {
  const unsigned word = form.word_size;
  BuiltModules built{GuestVirt(word == 4 ? 0xc1000100 : 0xffffffff82000100), {}};
  for (unsigned i = 0; i < count; ++i) {
    built.modules.push_back(build_module(memory, form, i));
  }
  GuestVirt before = built.head;
  for (const BuiltModule& module : built.modules) {
    put_word(memory, before, module.list.value, word);
    put_word(memory, module.list + word, before.value, word);
    before = module.list;
  }
  put_word(memory, before, built.head.value, word);
  put_word(memory, built.head + word, before.value, word);
  return built;
}

}  // namespace xstack::test
