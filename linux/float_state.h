// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "arch/arch.h"
#include "linux/btf.h"
#include "linux/task_list.h"

namespace xstack {

/// The part of a task where the kernel keeps what its user mode had in floating point and vector registers while it
/// does not run: the last that a process copied or encrypted, often.
struct FloatState {
  GuestVirt at;
  std::uint64_t bytes = 0;

  friend bool operator==(const FloatState&, const FloatState&) = default;
};

/// Where that is in x86 tasks, from the start of struct task_struct, by the kernel's BTF.
struct FloatLayout {
  std::uint32_t at = 0;
  std::optional<std::uint32_t> size;  ///< a 4-byte number of how many bytes that is (5.16 on)
};
[[nodiscard]] std::optional<FloatLayout> float_layout_of_btf(const Btf& btf);

/// On ARM it follows the saved context (struct thread_info, arch/arm/include/asm/thread_info.h; struct thread_struct,
/// arch/arm64/include/asm/processor.h): the bytes given are all of it in each kernel from 3.16 on (arm64: 4.5), and
/// nothing that a trace needs. On x86 `floats` says where it is; kernels before 5.16 do not say how long, and
/// the 512 bytes that each has are given. Nothing where it is not known.
[[nodiscard]] std::optional<FloatState> float_state_of(VirtMemory& memory, const TaskLayout& layout, ArchId arch,
                                                       const std::optional<FloatLayout>& floats,
                                                       const KernelTask& task);

}  // namespace xstack
