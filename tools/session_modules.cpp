// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/session_modules.h"

#include <algorithm>
#include <utility>

namespace xstack {

Result<ModuleListReport> read_modules(Guest& guest, const KernelRequest& request) {
  auto session = KernelSession::open(guest, request);
  if (!session) {
    return tl::unexpected(session.error());
  }
  if (auto looked = (*session)->look_round(); !looked) {
    return tl::unexpected(looked.error());
  }
  Kernel& kernel = *(*session)->kernel();
  if (!kernel.data_begin()) {
    return fail(Errc::not_found, kernel.warnings().empty() ? "the kernel was not found, and so its modules were not"
                                                           : "no modules: " + kernel.warnings().front());
  }
  ModuleListReport report;
  const UnwindTables& unwind = kernel.unwind_tables();
  report.unwind_kind = !unwind.ehabi.empty() ? "ehabi" : !unwind.orc.empty() ? "orc" : "";
  // What a capture does not hold of this is absent there.
  const std::vector<ModuleUse> uses =
      read_module_use((*session)->memory(), kernel.modules(), (*session)->arch().word_size, kernel.module_taints());
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const KernelModule& module = kernel.modules()[i];
    ModuleReport one{module, uses[i], 0, 0};
    const auto take = [&](const auto& tables) {
      for (const auto& table : tables) {
        if (table.module == module.name) {
          ++one.unwind_tables;
          one.unwind_entries += table.count;
        }
      }
    };
    take(unwind.ehabi);
    take(unwind.orc);
    report.partial = report.partial || guest.cut_short() || module.text_begin == module.text_end;
    report.modules.push_back(std::move(one));
  }
  for (const std::string& warning : kernel.warnings()) {
    if (warning.find("module") != std::string::npos) {
      report.warnings.push_back(warning);
      report.partial = true;
    }
  }
  const auto lacks = [&](auto member) {
    return std::any_of(uses.begin(), uses.end(), [&](const ModuleUse& use) { return !(use.*member); });
  };
  if (lacks(&ModuleUse::references) || lacks(&ModuleUse::users)) {
    report.notes.emplace_back("who uses the modules: their structures do not show it, or are not in this input");
  }
  if (lacks(&ModuleUse::taints)) {
    report.notes.emplace_back("taints of modules: the kernel's BTF alone says where they are, and it was not found");
  }
  return report;
}

}  // namespace xstack
