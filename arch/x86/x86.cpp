// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/x86.h"

namespace xstack {

const ArchOps& x86_32_ops() {
  static const ArchOps kOps{.id = ArchId::x86_32, .name = "x86_32", .word_size = 4};
  return kOps;
}

const ArchOps& x86_64_ops() {
  static const ArchOps kOps{.id = ArchId::x86_64, .name = "x86_64", .word_size = 8};
  return kOps;
}

}  // namespace xstack
