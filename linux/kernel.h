// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "arch/code.h"
#include "arch/unwind_tables.h"
#include "guest/guest.h"
#include "linux/table_search.h"
#include "linux/task_layout.h"
#include "linux/vmcoreinfo.h"
#include "symbols/symbol_source.h"

namespace xstack {

/// One loaded module as the guest's own list has it. Text is the guest's: escape it to show it.
struct KernelModule {
  std::string name;
  GuestVirt structure;   ///< its struct module
  GuestVirt text_begin;  ///< core text; [text_begin, text_end)
  GuestVirt text_end;
  GuestVirt init_text_begin;  ///< init text of a module that is just loading; empty range when freed
  GuestVirt init_text_end;
  std::optional<std::uint64_t> size;       ///< all memory that stays: text, data, read-only data; bytes
  std::optional<std::uint64_t> init_size;  ///< what is freed once it is loaded: 0 then
  std::optional<unsigned> state;           ///< 0 live, 1 coming, 2 going (enum module_state)
  std::optional<std::uint32_t> symbols;    ///< entries of its symbol table
};

/// Where the kernel's addresses begin when its memory does not show it: what a board profile says of the kernels that
/// run there. A guess; what is found in the guest wins.
struct KernelDefault {
  std::string board;  ///< the profile's name
  ArchId arch{};      ///< kernels of other architectures are none of its business
  std::uint64_t start = 0;
};

/// What to look round in.
struct KernelInputs {
  Guest& guest;
  const ArchOps& arch;
  std::span<const CpuState> cpus;  ///< every vCPU that has registers
  /// The kernel's own tables, when no vCPU's registers have them and they were looked for; or why there are none.
  const FoundTables* tables = nullptr;
  std::string no_tables = {};
  VirtMemory& memory;  ///< the kernel's view; what is read here is kept (cached, and written to a capture)
  VirtMemory& search;  ///< the same addresses, for reading much and keeping nothing: searches go here
  /// User-given tables (-s), consulted before kallsyms where they cover an address. Slides are settled here: a table
  /// that needs one gets it from what the guest shows. May be empty.
  std::vector<std::string> symbol_files;
  std::optional<std::uint64_t> kernel_start;   ///< -k: where kernel addresses begin, when the user says so
  bool force = false;                          ///< use files though they are another kernel's
  std::optional<KernelDefault> fallback = {};  ///< --board
};

/// What a Linux guest says of itself, found once in its memory (or replayed from a capture's facts). Nothing here fails
/// as a whole: what could not be found is a warning with its reason, and the rest stands. A guest that is no Linux has
/// no release and only the symbols of files.
class Kernel {
 public:
  virtual ~Kernel() = default;

  /// Looks round. Reads only; may read while the guest runs, since what it reads does not change after boot.
  [[nodiscard]] static Result<std::unique_ptr<Kernel>> look_round(const KernelInputs& inputs);

  [[nodiscard]] virtual CodeInfo& code() = 0;
  [[nodiscard]] virtual const UnwindTables& unwind_tables() const = 0;

  [[nodiscard]] virtual const std::optional<std::string>& release() const = 0;   ///< "6.1.0-50-armmp-lpae"
  [[nodiscard]] virtual const std::optional<std::string>& banner() const = 0;    ///< "Linux version ..." line
  [[nodiscard]] virtual const std::optional<std::string>& build_id() const = 0;  ///< hex
  [[nodiscard]] virtual std::optional<std::uint64_t> kaslr_offset() const = 0;   ///< run-time minus link-time
  [[nodiscard]] virtual std::optional<GuestVirt> kernel_start() const = 0;       ///< lowest address of kernel code
  [[nodiscard]] virtual const std::vector<KernelModule>& modules() const = 0;
  [[nodiscard]] virtual const std::vector<std::string>& symbol_sources() const = 0;  ///< as in JSON guest.symbols
  /// Those of the user's files that are ELF files and were not refused: they may have DWARF. Relocatable ones
  /// (modules) are among them.
  [[nodiscard]] virtual const std::vector<std::string>& elf_files() const = 0;
  [[nodiscard]] virtual const std::vector<std::string>& warnings() const = 0;

  /// More translations that finding the kernel's own root gave (swapper_pg_dir, init_top_pgt): the fallback for a
  /// process's tables that lack the kernel half.
  [[nodiscard]] virtual const std::vector<std::shared_ptr<const Translation>>& kernel_translations() const = 0;

  /// The kernel's own word for crash dumps; nothing when it was not found, and on replay.
  [[nodiscard]] virtual const std::optional<Vmcoreinfo>& vmcoreinfo() const = 0;
  /// The symbol that covers `address`, of code or of the kernel's data; code().function_at() names code alone.
  [[nodiscard]] virtual std::optional<CodeSymbol> symbol_at(GuestVirt address) = 0;
  /// Offset of the member `taints` in struct module. Asked of the kernel's BTF when it is first wanted; nothing
  /// without.
  [[nodiscard]] virtual std::optional<std::uint32_t> module_taints() = 0;

  /// Of a kernel whose image was found in physical memory, since no vCPU's tables show it where it was linked to be:
  /// where its first code lies. All addresses that code() knows are physical ones then. `how` says what tells them.
  struct PhysicalPlace {
    GuestPhys begin;
    std::optional<GuestVirt> link;  ///< what it was linked to have there, when that is known
    std::string how;
  };
  [[nodiscard]] virtual std::optional<PhysicalPlace> physical_place() const = 0;

  /// Where the kernel's variables may begin: behind its code and its read-only tables. Nothing when that is not known.
  [[nodiscard]] virtual std::optional<GuestVirt> data_begin() const = 0;

  /// Where the kernel's tasks and their members are. Looked for when it is first asked for; null when it was not found,
  /// and then no_task_layout() says why.
  [[nodiscard]] virtual const TaskLayout* task_layout() = 0;
  [[nodiscard]] virtual const std::string& no_task_layout() const = 0;

  /// Tasks that a vCPU was seen to run: a capture carries where they are, since their lists are not in it.
  [[nodiscard]] virtual const std::vector<GuestVirt>& known_tasks() const = 0;
  virtual void remember_task(GuestVirt task) = 0;

  /// What a capture must write down so that look_round() on its replay finds the same without searching.
  [[nodiscard]] virtual std::map<std::string, std::string> facts() const = 0;
};

}  // namespace xstack
