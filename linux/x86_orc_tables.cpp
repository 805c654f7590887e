// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/x86_orc_tables.h"

#include "linux/kernel.h"

namespace xstack {

FoundOrc find_kernel_orc(VirtMemory& search, GuestVirt image_begin, GuestVirt image_end, CodeInfo& code) {
  (void)search;
  (void)image_begin;
  (void)image_end;
  (void)code;
  FoundOrc found;
  found.why_not = "not built yet";
  return found;
}

std::optional<OrcTable> find_module_orc(VirtMemory& search, const KernelModule& module, GuestVirt kernel_image_begin) {
  (void)search;
  (void)module;
  (void)kernel_image_begin;
  return std::nullopt;
}

}  // namespace xstack
