// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "arch/arch.h"
#include "guest/guest.h"

namespace xstack {

/// The kernel's page tables of a guest whose registers do not say where they are.
struct FoundTables {
  ArchId arch{};
  GuestPhys root;
  TableForm form;
  std::optional<GuestVirt> text;  ///< an address in the kernel's code
  std::string how;                ///< for people: "where VMCOREINFO says", ...

  [[nodiscard]] std::shared_ptr<const Translation> translation() const {
    return arch_ops(arch).translation_of(form, root);
  }
};

/// Finds them in the guest's memory, by their structure. With VMCOREINFO (which the file brought along, or found in
/// memory) they are the tables that map swapper_pg_dir, which is themselves, to where they are, and the kernel's code
/// as far from there as it is linked: looked for first where kimage_voffset, phys_base or a usual split of the address
/// space put them, then in every frame. Without VMCOREINFO they are the first that map the program counter and the
/// stack pointer of every vCPU that is in kernel mode; these may be a process's. `arch` is what the registers or the
/// user say; without, VMCOREINFO must tell. Reads all of memory at worst. Errors: not_found.
[[nodiscard]] Result<FoundTables> find_tables(Guest& guest, std::optional<ArchId> arch, std::span<const CpuState> cpus);

/// As a fact of a capture, and back; nothing when there is none or it makes no sense.
[[nodiscard]] std::pair<std::string, std::string> tables_fact(const FoundTables& tables);
[[nodiscard]] std::optional<FoundTables> tables_of_facts(const std::map<std::string, std::string>& facts);

}  // namespace xstack
