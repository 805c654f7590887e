// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/arm64.h"

#include "arch/arm64/decode.h"
#include "arch/arm64/registers.h"
#include "arch/arm64/stacks.h"
#include "arch/arm64/unwind.h"

namespace xstack {

const ArchOps& arm64_ops() {
  static const ArchOps kOps{
      .id = ArchId::arm64,
      .name = "arm64",
      .word_size = 8,
      .registers = arm64::register_table(),
      .pc = arm64::kPc,
      .sp = arm64::kSp,
      .fp = arm64::kFp,
      .lr = arm64::kLr,
      .decode = arm64::decode,
      .translation_with_root = arm64::translation_with_root,
      .table_forms = arm64::table_forms(),
      .translation_of = arm64::translation_of,
      .first_frame = arm64::first_frame,
      .step = arm64::step,
      .mark_stacks = arm64::mark_stacks,
      .stack_size = 16384,
  };
  return kOps;
}

}  // namespace xstack
