// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "arch/arch.h"

namespace xstack::x86 {

/// Either the next frame or the end of the trace; methods that may not apply return nothing instead.
using Step = tl::expected<Frame, TraceEnd>;

/// What an interrupt or system call saved.
struct Interrupted {
  RegisterFile regs;
  GuestVirt pc;
  GuestVirt sp;
  bool user = false;  ///< CS has ring 3. A PV kernel's CS is stored with ring 0 although it runs in ring 3 (or 1).
};

/// Reads a `struct pt_regs` (arch/x86/include/asm/ptrace.h, unchanged since 2.6.25: 21 words on 64-bit, 17 on 32-bit).
/// A fault when it cannot be read; nothing when what lies there is no saved context (flags bit 1 clear, no CS).
[[nodiscard]] tl::expected<std::optional<Interrupted>, Fault> read_pt_regs(VirtMemory& memory, GuestVirt at,
                                                                           unsigned word_size);

/// The same for what the processor itself pushes in 64-bit mode: rip, cs, rflags, rsp, ss. `regs` holds only those.
[[nodiscard]] tl::expected<std::optional<Interrupted>, Fault> read_iret_frame(VirtMemory& memory, GuestVirt at);

/// The frame of an interrupted kernel, or the end of the trace when it was user code.
[[nodiscard]] Step resume_at(const Interrupted& saved);

/// Whether user registers, saved at `at`, can be what Linux saved on its way in from user mode. 32-bit: SS and CS have
/// ring 3, flags have no reserved bit, pc and sp lie below the stack and the code of the kernel, and the record ends
/// where task stacks begin (task_pt_regs(): 0, 8 or 16 bytes below a page boundary, arch/x86/include/asm/processor.h
/// and thread_info.h). `kernel_code` is any address of kernel code. 64-bit: not told, true.
[[nodiscard]] bool plausible_user(const StepContext& context, const Interrupted& saved, GuestVirt at,
                                  GuestVirt kernel_code);

/// The stack pointer in a frame, from wherever it is known.
[[nodiscard]] std::optional<GuestVirt> stack_pointer(const StepContext& context, const Frame& frame);

/// A frame to return to: only pc, sp and, when known, the frame pointer survive the call.
[[nodiscard]] Frame returned_frame(const StepContext& context, GuestVirt pc, GuestVirt sp,
                                   std::optional<std::uint64_t> fp, FoundBy found_by);

}  // namespace xstack::x86
