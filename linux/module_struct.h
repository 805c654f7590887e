// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "guest/memory.h"
#include "linux/module_symbols.h"

namespace xstack {

/// The bytes of one struct module. Those seen have 500 to 1300 bytes; more is harmless.
struct ModuleBytes {
  static constexpr std::size_t kSize = 2048;
  GuestVirt at;
  std::vector<std::byte> bytes;
  std::string name;
};

/// Where the members are that matter here, found by looking at several structures of one kernel.
struct ModuleLayout {
  /// struct module's description of its memory.
  enum class Memory : std::uint8_t {
    none,
    layout,  ///< struct module_layout core_layout, init_layout (4.5 to 6.3): {base, size, text_size, ...}
    array,   ///< struct module_memory mem[7] (6.4 on): {base, [is_rox,] size, ...}, text first, data second
  };
  Memory memory = Memory::none;
  std::size_t text = 0;    ///< offset of core_layout or of mem[0]
  std::size_t stride = 0;  ///< of mem[]
  enum class Symbols : std::uint8_t {
    none,
    pointer,  ///< a pointer to a struct mod_kallsyms (4.5 on)
    members,  ///< symtab, core_symtab, num_symtab, core_num_syms, strtab, core_strtab (up to 4.4)
  };
  Symbols symbols_kind = Symbols::none;
  std::size_t symbols = 0;
};

/// The layout that most of `modules` agree with.
[[nodiscard]] ModuleLayout tell_module_layout(std::span<const ModuleBytes> modules, unsigned word_size);

/// One module read by that layout. `search` serves the table of a module that is still loading, which is not in the
/// structure itself.
[[nodiscard]] FoundModule read_module(VirtMemory& search, const ModuleBytes& module, const ModuleLayout& layout,
                                      unsigned word_size);

}  // namespace xstack
