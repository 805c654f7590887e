// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/frame_pointer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "arch/x86/code_bytes.h"
#include "arch/x86/leaf.h"

namespace xstack::x86 {
namespace {

/// No frame reaches further than the largest kernel stack (32 KiB with KASAN).
constexpr std::uint64_t kFarthestFrame = 32768;

tl::unexpected<Miss> miss(EndReason reason, std::string detail) {
  return tl::unexpected(Miss{reason, std::move(detail)});
}

/// Assembly in which a kernel thread or an idle CPU begins: nothing is above it.
bool begins_a_stack(std::string_view function) {
  static constexpr std::array<std::string_view, 7> kPrefixes = {
      "ret_from_fork", "ret_from_kernel_thread",   "secondary_startup",   "start_cpu",
      "startup_",      "asm_cpu_bringup_and_idle", "cpu_bringup_and_idle"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](auto p) { return function.starts_with(p); });
}

/// The address of the pt_regs that a frame pointer stands for. 64-bit: bit 0 set. 32-bit: bit 31 cleared, and before
/// that was so (4.9 to 4.14), bit 0 set.
std::optional<GuestVirt> encoded_regs(std::uint64_t fp, unsigned word_size) {
  if ((fp & 1) != 0) {
    return GuestVirt(fp & ~1ULL);
  }
  if (word_size == 4 && fp != 0 && (fp & 0x8000'0000) == 0) {
    return GuestVirt(fp | 0x8000'0000);
  }
  return std::nullopt;
}

/// User registers right at the stack pointer: where assembly that was entered from user mode has called C.
std::optional<Step> user_regs_at(StepContext& context, GuestVirt sp, GuestVirt kernel_code) {
  const auto saved = read_pt_regs(context.memory, sp, context.cpu.arch->word_size);
  if (saved && *saved && (*saved)->user && plausible_user(context, **saved, sp, kernel_code)) {
    return resume_at(**saved);
  }
  return std::nullopt;
}

class FramePointerStep {
 public:
  FramePointerStep(StepContext& context, const Frame& callee)
      : context_(context),
        callee_(callee),
        word_(context.cpu.arch->word_size),
        fp_(callee.regs.get(context.cpu.arch->fp)),
        sp_(stack_pointer(context, callee)),
        function_(context.code.function_at(lookup_address(callee))) {}

  tl::expected<Step, Miss> run() {
    if (callee_.exact && context_.code.is_code(callee_.pc) == false) {
      if (auto frame = caller_on_top(context_, callee_)) {
        return Step(std::move(*frame));
      }
    }
    const FrameState state =
        function_ ? frame_state(context_.memory, function_->start, callee_.pc, word_) : FrameState::none;
    if (callee_.exact && sp_ && (state == FrameState::before || state == FrameState::pushed)) {
      return unbuilt(state);
    }
    if (callee_.exact && sp_ && is_return(context_.memory, callee_.pc)) {
      return unbuilt(FrameState::before);
    }
    if (state == FrameState::none && function_) {
      if (auto step = assembly()) {
        return *step;
      }
    }
    if (!fp_) {
      return miss(EndReason::no_unwind_info, "the frame pointer is not known");
    }
    if (const auto regs = encoded_regs(*fp_, word_)) {
      return interrupted(*regs);
    }
    if (*fp_ == 0 && !context_.tables.orc.empty()) {
      return miss(EndReason::no_unwind_info, "rbp is no frame pointer");  // with ORC it is a register like any other
    }
    if (*fp_ == 0) {
      return Step(tl::unexpected(TraceEnd{EndReason::end_of_stack, "the frame pointer is zero", {}}));
    }
    return chain(state);
  }

 private:
  /// In a prologue or epilogue: the frame pointer is still, or again, the caller's.
  tl::expected<Step, Miss> unbuilt(FrameState state) {
    const GuestVirt at = state == FrameState::pushed ? *sp_ + word_ : *sp_;
    const auto pc = context_.memory.read_word(at, word_);
    if (!pc || !return_address(context_.memory, context_.code, GuestVirt(*pc), word_)) {
      return miss(EndReason::not_code, fmt::format("no return address at {:#x} in a prologue", at.value));
    }
    std::optional<std::uint64_t> fp = fp_;
    if (state == FrameState::pushed) {
      const auto saved = context_.memory.read_word(*sp_, word_);
      fp = saved ? std::optional(*saved) : std::nullopt;
    }
    return Step(returned_frame(context_, GuestVirt(*pc), at + word_, fp, FoundBy::link_register));
  }

  /// A function without a frame of its own; nothing when the frame pointer is to be followed nevertheless.
  std::optional<Step> assembly() {
    if (begins_a_stack(function_->name)) {
      return Step(tl::unexpected(TraceEnd{EndReason::end_of_stack, {}, {}}));
    }
    if (auto frame = caller_on_top(context_, callee_)) {
      return Step(std::move(*frame));
    }
    if (!callee_.exact && sp_) {
      return user_regs_at(context_, *sp_, function_->start);
    }
    return std::nullopt;
  }

  tl::expected<Step, Miss> interrupted(GuestVirt at) {
    const auto saved = read_pt_regs(context_.memory, at, word_);
    if (!saved) {
      return miss(EndReason::unreadable,
                  fmt::format("saved registers at {:#x}: {}", at.value, describe(saved.error())));
    }
    if (!*saved) {
      return miss(EndReason::bad_unwind_info, fmt::format("no saved registers at {:#x}", at.value));
    }
    if ((*saved)->user && !plausible_user(context_, **saved, at, callee_.pc)) {
      return miss(EndReason::bad_unwind_info, fmt::format("no registers of user mode at {:#x}", at.value));
    }
    return resume_at(**saved);
  }

  tl::expected<Step, Miss> chain(FrameState state) {
    const GuestVirt fp(*fp_);
    const bool near = sp_ && fp >= *sp_ && fp - *sp_ < kFarthestFrame;
    if (fp.value % word_ != 0 || (!near && state != FrameState::built)) {
      return miss(EndReason::no_unwind_info, fmt::format("{:#x} is no frame pointer", fp.value));
    }
    const auto saved = context_.memory.read_word(fp, word_);
    const auto word = context_.memory.read_word(fp + word_, word_);
    if (!saved || !word) {
      return miss(EndReason::unreadable,
                  fmt::format("the frame at {:#x}: {}", fp.value, describe(saved ? word.error() : saved.error())));
    }
    const GuestVirt pc(*word);
    if (*saved == 0 && *word == 0) {
      return Step(tl::unexpected(TraceEnd{EndReason::end_of_stack, "an empty frame", {}}));
    }
    // A direct call of the very function proves whose frame it is, whatever its prologue looks like (the compiler may
    // build a frame late), and that the caller is code, though no symbol may cover it (a module's).
    const auto call = call_before(context_.memory, pc, word_);
    if (function_ && call && call->target == function_->start) {
      return Step(returned_frame(context_, pc, fp + 2 * word_, *saved, FoundBy::frame));
    }
    const bool boot_frame = near && *saved > fp.value && is_boot_code(pc - 1) && context_.code.function_at(pc - 1);
    if (boot_frame && (state == FrameState::built || (function_ && is_boot_code(function_->start)))) {
      return Step(returned_frame(context_, pc, fp + 2 * word_, *saved, FoundBy::frame));
    }
    const auto site = return_address(context_.memory, context_.code, pc, word_);
    if (!site) {
      return miss(EndReason::not_code,
                  fmt::format("{:#x} in the frame at {:#x} is no return address", pc.value, fp.value));
    }
    // A function that does not build a frame leaves its caller's in the register: what is found then is the caller's
    // caller, and only when nothing says that the register means something else in this kernel.
    if (state == FrameState::none && function_ && !context_.tables.orc.empty()) {
      return miss(EndReason::no_unwind_info, "the function has no frame pointer");
    }
    if (state == FrameState::none && function_ && callee_.exact) {
      // Assembly that was called by the function whose frame this is: that function would be left out, unsaid.
      return miss(EndReason::no_unwind_info, "the vCPU is in a function without a frame");
    }
    const bool gone = near && function_ && is_boot_code(function_->start);
    if (state == FrameState::none && function_ && !gone && !caller_has_frame(pc)) {
      return miss(EndReason::no_unwind_info, "the function has no frame pointer");
    }
    return Step(returned_frame(context_, pc, fp + 2 * word_, *saved, FoundBy::frame));
  }

  /// Init code, which the kernel frees when it has booted: neither calls nor prologues can be read there any more, but
  /// the first task's stack still begins in it. Where frame pointers lead to it, they are all there is to go by.
  bool is_boot_code(GuestVirt address) {
    const auto begin = context_.code.address_of("_sinittext");
    const auto end = context_.code.address_of("_einittext");
    return context_.tables.orc.empty() && begin && end && address >= *begin && address < *end;
  }

  bool caller_has_frame(GuestVirt pc) {
    const auto caller = context_.code.function_at(pc - 1);
    return caller && frame_state(context_.memory, caller->start, pc, word_) != FrameState::none;
  }

  StepContext& context_;
  const Frame& callee_;
  unsigned word_;
  std::optional<std::uint64_t> fp_;
  std::optional<GuestVirt> sp_;
  std::optional<CodeSymbol> function_;
};

}  // namespace

tl::expected<Step, Miss> step_by_frame_pointer(StepContext& context, const Frame& callee) {
  return FramePointerStep(context, callee).run();
}

}  // namespace xstack::x86
