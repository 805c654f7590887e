// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/arm32_unwind_tables.h"

namespace xstack {

std::vector<EhabiTable> find_kernel_ehabi(VirtMemory& search, GuestVirt image_begin, GuestVirt image_end,
                                          CodeInfo& code) {
  (void)search;
  (void)image_begin;
  (void)image_end;
  (void)code;
  return {};
}

std::vector<EhabiTable> find_module_ehabi(VirtMemory& search, const KernelModule& module) {
  (void)search;
  (void)module;
  return {};
}

}  // namespace xstack
