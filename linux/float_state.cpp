// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/float_state.h"

namespace xstack {
namespace {

// arm32: cpu_context (48 bytes), syscall, used_cp (16, not in newer kernels), tp_value (8), fpstate (140, with iWMMXt
// 152; aligned to 8), vfpstate (256 of registers, 20 of state).
constexpr std::uint64_t kArm32First = 48;
constexpr std::uint64_t kArm32EndInTask = 484;
constexpr std::uint64_t kArm32EndOnStack = 496;
// arm64: cpu_context (104), tp_value, tp2_value and fpmr where they are, fpsimd_state (512, aligned to 16 from 4.18
// on).
constexpr std::uint64_t kArm64First = 112;
constexpr std::uint64_t kArm64End = 640;
// x86: FXSAVE's image; with all of AVX-512, PKRU and AMX tiles an XSAVE area has some 11,000 bytes.
constexpr std::uint64_t kFxsave = 512;
constexpr std::uint64_t kMostXsave = 16384;

}  // namespace

std::optional<FloatLayout> float_layout_of_btf(const Btf& btf) {
  const auto at = [&](std::string_view path) -> std::optional<std::uint32_t> {
    const auto member = btf.member("task_struct", path);
    return member && member->offset <= kMaxTaskOffset ? std::optional(static_cast<std::uint32_t>(member->offset))
                                                      : std::nullopt;
  };
  if (const auto registers = at("thread.fpu.__fpstate.regs")) {
    return FloatLayout{*registers, at("thread.fpu.__fpstate.size")};
  }
  const auto state = at("thread.fpu.state");
  return state ? std::optional(FloatLayout{*state, std::nullopt}) : std::nullopt;
}

std::optional<FloatState> float_state_of(VirtMemory& memory, const TaskLayout& layout, ArchId arch,
                                         const std::optional<FloatLayout>& floats, const KernelTask& task) {
  const bool in_task = layout.saved_kind == TaskLayout::Saved::in_task;
  const bool on_stack = layout.saved_kind == TaskLayout::Saved::on_stack && task.stack.value != 0;
  const GuestVirt saved = (in_task ? task.at : task.stack) + layout.saved;
  switch (arch) {
    case ArchId::arm32:
      if (in_task || on_stack) {
        return FloatState{saved + kArm32First, (in_task ? kArm32EndInTask : kArm32EndOnStack) - kArm32First};
      }
      break;
    case ArchId::arm64:
      if (in_task) {
        return FloatState{saved + kArm64First, kArm64End - kArm64First};
      }
      break;
    case ArchId::x86_64:
    case ArchId::x86_32:
      if (floats) {
        std::uint64_t bytes = kFxsave;
        if (floats->size) {
          const auto said = memory.read_word(task.at + *floats->size, 4);
          bytes = said && *said >= kFxsave && *said <= kMostXsave ? *said : kFxsave;
        }
        return FloatState{task.at + floats->at, bytes};
      }
      break;
  }
  return std::nullopt;
}

}  // namespace xstack
