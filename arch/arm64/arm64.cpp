// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/arm64.h"

namespace xstack {

const ArchOps& arm64_ops() {
  static const ArchOps kOps{.id = ArchId::arm64, .name = "arm64", .word_size = 8};
  return kOps;
}

}  // namespace xstack
