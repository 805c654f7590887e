// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/pt_regs.h"

#include <array>

#include "arch/x86/registers.h"
#include "base/endian.h"

namespace xstack::x86 {
namespace {

constexpr std::uint64_t kFlagsAlwaysOne = 1U << 1;
constexpr std::uint64_t kFlagsVm = 1U << 17;
constexpr std::uint64_t kSelector = 0xffff;  // the words of CS and SS carry event data above it (FRED)

/// General registers in the order of struct pt_regs.
constexpr std::array<RegisterIndex, 15> kOrder64 = {kR15, kR14, kR13, kR12, kRbp, kRbx, kR11, kR10,
                                                    kR9,  kR8,  kRax, kRcx, kRdx, kRsi, kRdi};
constexpr std::array<RegisterIndex, 7> kOrder32 = {kEbx, kEcx, kEdx, kEsi, kEdi, kEbp, kEax};

template <std::size_t kCount, class Word>
tl::expected<std::array<std::uint64_t, kCount>, Fault> read_words(VirtMemory& memory, GuestVirt at) {
  std::array<std::byte, kCount * sizeof(Word)> bytes{};
  if (auto ok = memory.read(at, bytes); !ok) {
    return tl::unexpected(ok.error());
  }
  std::array<std::uint64_t, kCount> words{};
  for (std::size_t i = 0; i < kCount; ++i) {
    words[i] = load_le<Word>(&bytes[i * sizeof(Word)]);
  }
  return words;
}

/// The five words that the processor pushes: pc, CS, flags, sp, SS.
std::optional<Interrupted> hardware_frame(const std::uint64_t* words) {
  const std::uint64_t cs = words[1] & kSelector;
  const std::uint64_t flags = words[2];
  if (cs == 0 || (flags & kFlagsAlwaysOne) == 0 || flags >> 32 != 0) {
    return std::nullopt;
  }
  Interrupted out;
  out.pc = GuestVirt(words[0]);
  out.sp = GuestVirt(words[3]);
  out.user = (cs & 3) == 3;
  out.regs.set(kRip, words[0]);
  out.regs.set(kCs, cs);
  out.regs.set(kRflags, flags);
  out.regs.set(kRsp, words[3]);
  out.regs.set(kSs, words[4] & kSelector);
  return out;
}

tl::expected<std::optional<Interrupted>, Fault> read_pt_regs64(VirtMemory& memory, GuestVirt at) {
  const auto words = read_words<21, std::uint64_t>(memory, at);
  if (!words) {
    return tl::unexpected(words.error());
  }
  auto out = hardware_frame(&(*words)[16]);
  if (out) {
    for (std::size_t i = 0; i < kOrder64.size(); ++i) {
      out->regs.set(kOrder64[i], (*words)[i]);
    }
  }
  return out;
}

tl::expected<std::optional<Interrupted>, Fault> read_pt_regs32(VirtMemory& memory, GuestVirt at) {
  const auto words = read_words<17, std::uint32_t>(memory, at);
  if (!words) {
    return tl::unexpected(words.error());
  }
  const std::uint64_t cs = (*words)[13] & kSelector;
  const std::uint64_t flags = (*words)[14];
  if (cs == 0 || (flags & kFlagsAlwaysOne) == 0) {
    return std::nullopt;
  }
  Interrupted out;
  out.pc = GuestVirt((*words)[12]);
  out.user = (cs & 3) == 3 || (flags & kFlagsVm) != 0;
  out.sp = GuestVirt((*words)[15]);
  if (!out.user) {
    // The processor does not push SP and SS in ring 0. Since 5.4 the entry code makes room and fills them in; before,
    // the interrupted stack begins where they would be.
    constexpr std::uint64_t kKernelDs = 0x68;  // __KERNEL_DS, arch/x86/include/asm/segment.h
    const bool filled_in = ((*words)[16] & kSelector & ~3ULL) == kKernelDs && out.sp > at;
    if (!filled_in) {
      out.sp = at + 15 * 4;
    }
  }
  for (std::size_t i = 0; i < kOrder32.size(); ++i) {
    out.regs.set(kOrder32[i], (*words)[i]);
  }
  out.regs.set(kEip, out.pc.value);
  out.regs.set(kCs32, cs);
  out.regs.set(kEflags, flags);
  out.regs.set(kEsp, out.sp.value);
  if (out.user) {
    out.regs.set(kSs32, (*words)[16] & kSelector);
  }
  return out;
}

}  // namespace

tl::expected<std::optional<Interrupted>, Fault> read_pt_regs(VirtMemory& memory, GuestVirt at, unsigned word_size) {
  return word_size == 8 ? read_pt_regs64(memory, at) : read_pt_regs32(memory, at);
}

tl::expected<std::optional<Interrupted>, Fault> read_iret_frame(VirtMemory& memory, GuestVirt at) {
  const auto words = read_words<5, std::uint64_t>(memory, at);
  if (!words) {
    return tl::unexpected(words.error());
  }
  return hardware_frame(words->data());
}

Step resume_at(const Interrupted& saved) {
  if (saved.user) {
    return tl::unexpected(TraceEnd{EndReason::user_mode, {}, UserContext{saved.pc, saved.sp}});
  }
  Frame frame;
  frame.regs = saved.regs;
  frame.pc = saved.pc;
  frame.sp = saved.sp;
  frame.found_by = FoundBy::exception;
  frame.exact = true;
  return frame;
}

bool plausible_user(const StepContext& context, const Interrupted& saved, GuestVirt at, GuestVirt kernel_code) {
  if (context.cpu.arch->word_size == 8) {
    return true;
  }
  constexpr std::uint64_t kReserved = 0xffc0'8028;  // EFLAGS: always zero
  constexpr std::uint64_t kSize = 17 * 4;
  constexpr std::uint64_t kPage = 4096;
  const std::uint64_t flags = saved.regs.get(kEflags).value_or(0);
  const std::uint64_t below_top = (kPage - (at.value + kSize) % kPage) % kPage;
  if ((flags & kReserved) != 0 || (below_top != 0 && below_top != 8 && below_top != 16)) {
    return false;
  }
  const bool virtual_8086 = (flags & kFlagsVm) != 0;  // whose segments are real mode's
  if (!virtual_8086 && (saved.regs.get(kCs32).value_or(0) & saved.regs.get(kSs32).value_or(0) & 3) != 3) {
    return false;
  }
  const GuestVirt kernel = at < kernel_code ? at : kernel_code;
  return saved.pc < kernel && saved.sp <= kernel && context.code.is_code(saved.pc) != true;
}

std::optional<GuestVirt> stack_pointer(const StepContext& context, const Frame& frame) {
  if (frame.sp) {
    return frame.sp;
  }
  const auto value = frame.regs.get(context.cpu.arch->sp);
  return value ? std::optional(GuestVirt(*value)) : std::nullopt;
}

Frame returned_frame(const StepContext& context, GuestVirt pc, GuestVirt sp, std::optional<std::uint64_t> fp,
                     FoundBy found_by) {
  const ArchOps& arch = *context.cpu.arch;
  Frame frame;
  frame.pc = pc;
  frame.sp = sp;
  frame.regs.set(arch.pc, pc.value);
  frame.regs.set(arch.sp, sp.value);
  if (fp) {
    frame.regs.set(arch.fp, *fp);
  }
  frame.found_by = found_by;
  frame.exact = false;
  return frame;
}

}  // namespace xstack::x86
