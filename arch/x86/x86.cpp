// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/x86.h"

#include "arch/x86/decode.h"
#include "arch/x86/registers.h"
#include "arch/x86/stacks.h"
#include "arch/x86/step.h"

namespace xstack {

const ArchOps& x86_32_ops() {
  static const ArchOps kOps{.id = ArchId::x86_32,
                            .name = "x86_32",
                            .word_size = 4,
                            .registers = x86::registers32(),
                            .pc = x86::kEip,
                            .sp = x86::kEsp,
                            .fp = x86::kEbp,
                            .decode = x86::decode32,
                            .translation_with_root = x86::with_root,
                            .table_forms = x86::table_forms32(),
                            .translation_of = x86::translation_of,
                            .first_frame = x86::first_frame,
                            .step = x86::step,
                            .mark_stacks = x86::mark_stacks,
                            .stack_size = 8192};
  return kOps;
}

const ArchOps& x86_64_ops() {
  static const ArchOps kOps{.id = ArchId::x86_64,
                            .name = "x86_64",
                            .word_size = 8,
                            .registers = x86::registers64(),
                            .pc = x86::kRip,
                            .sp = x86::kRsp,
                            .fp = x86::kRbp,
                            .decode = x86::decode64,
                            .translation_with_root = x86::with_root,
                            .table_forms = x86::table_forms64(),
                            .translation_of = x86::translation_of,
                            .first_frame = x86::first_frame,
                            .step = x86::step,
                            .mark_stacks = x86::mark_stacks,
                            .stack_size = 16384};
  return kOps;
}

}  // namespace xstack
