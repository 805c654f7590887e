// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/arm32.h"

namespace xstack {

const ArchOps& arm32_ops() {
  static const ArchOps kOps{.id = ArchId::arm32, .name = "arm32", .word_size = 4};
  return kOps;
}

}  // namespace xstack
