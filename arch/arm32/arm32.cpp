// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/arm32.h"

#include "arch/arm32/decode.h"
#include "arch/arm32/entry.h"
#include "arch/arm32/registers.h"
#include "arch/arm32/translations.h"
#include "arch/arm32/unwind.h"

namespace xstack {

const ArchOps& arm32_ops() {
  static const ArchOps kOps{
      .id = ArchId::arm32,
      .name = "arm32",
      .word_size = 4,
      .registers = arm32::registers(),
      .pc = arm32::kPc,
      .sp = arm32::kSp,
      .fp = arm32::kFp,
      .lr = arm32::kLr,
      .decode = arm32::decode,
      .translation_with_root =
          [](const CpuState& cpu, GuestPhys root) {
            return cpu.table_form ? arm32::translation_of(*cpu.table_form, root) : arm32::with_root(cpu.regs, root);
          },
      .table_forms = arm32::table_forms(),
      .translation_of = arm32::translation_of,
      .first_frame = arm32::first_frame,
      .step = arm32::step,
      .mark_stacks = arm32::mark_stacks,
      .stack_size = arm32::kStackSize,
  };
  return kOps;
}

}  // namespace xstack
