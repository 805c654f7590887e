// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "arch/code.h"
#include "guest/memory.h"

namespace xstack::x86 {

/// The call instruction that ends where a return address points.
struct CallSite {
  std::optional<GuestVirt> target;  ///< of a direct call (E8); absent for calls through a register or memory
};

/// Decodes backwards: E8 rel32, and the FF /2 forms with their prefixes. Nothing when no call ends at `address` or the
/// code there cannot be read. An instruction's last bytes can look like a call by chance: evidence, not proof.
/// `word_size` 4 or 8: of the code.
[[nodiscard]] std::optional<CallSite> call_before(VirtMemory& memory, GuestVirt address, unsigned word_size);

/// Whether `address` may be a return address: code, as far as that is known, with a call before it. Kernel code that no
/// symbol covers (BPF programs, trampolines) passes when it lies where modules do.
[[nodiscard]] std::optional<CallSite> return_address(VirtMemory& memory, CodeInfo& code, GuestVirt address,
                                                     unsigned word_size);

/// Retpoline and return thunks (`__x86_indirect_thunk_*`, `srso_return_thunk` and their kin): detours on the way to or
/// from a function, never callers.
[[nodiscard]] bool is_thunk(std::string_view function);

/// How far the frame of the function at `begin` is built when the instruction at `pc` is about to run.
enum class FrameState : std::uint8_t {
  none,    ///< no frame pointer prologue at its beginning: not told
  before,  ///< before `push bp`, or after `pop bp`: the return address is on top of the stack
  pushed,  ///< between `push bp` and `mov bp, sp`: the return address is one word further up
  built,   ///< bp points at the saved bp
};

/// Reads the function's first bytes (`begin`) and those round `pc`.
[[nodiscard]] FrameState frame_state(VirtMemory& memory, GuestVirt begin, GuestVirt pc, unsigned word_size);

/// Whether the instruction at `pc` is a near return: what it returns to is on top of the stack, and every callee-saved
/// register has its caller's value again. A jump to a return thunk does not count.
[[nodiscard]] bool is_return(VirtMemory& memory, GuestVirt pc);

/// How many words a hypercall stub (32 bytes, filled in by Xen, xen/arch/x86/hypercall.c; or Linux's xen_hypercall_pv)
/// has pushed when the instruction at `pc` is about to run. Nothing when the bytes from `begin` to `pc` are no such
/// stub.
[[nodiscard]] std::optional<unsigned> stub_words_pushed(std::span<const std::byte> code_to_pc);

}  // namespace xstack::x86
