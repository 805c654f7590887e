// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/standstill.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "arch/arm32/registers.h"
#include "base/endian.h"

namespace xstack::arm32 {
namespace {

using Kind = PlainInstruction::Kind;

constexpr std::uint64_t kIrqMasked = 1U << 7;     // CPSR.I
constexpr std::uint64_t kHighVectors = 1U << 13;  // SCTLR.V
constexpr std::uint64_t kHighVectorBase = 0xffff0000;
constexpr std::uint64_t kFreshCpsr = 0x1d3;        // PSR_GUEST32_INIT, public/arch-arm.h: SVC, A, I and F masked
constexpr std::uint64_t kFlags = 0xf0000000;       // N, Z, C, V: Xen sets Z in what it makes of that
constexpr std::uint32_t kDeviceTree = 0xedfe0dd0;  // 0xd00dfeed, big-endian

/// ARM encodings, condition "always" (ARM DDI 0406C, A8.8 and A6.3/A5.2).
PlainInstruction decode_arm(std::uint32_t word) {
  switch (word) {
    case 0xe320f003:
      return {Kind::waits_for_interrupt, "WFI", 4, 0};
    case 0xe320f002:
      return {Kind::waits_for_event, "WFE", 4, 0};
    case 0xe320f000:  // nop
    case 0xe320f001:  // yield
    case 0xe1a00000:  // mov r0, r0
    case 0xf57ff04f:  // dsb sy
    case 0xf57ff05f:  // dmb sy
    case 0xf57ff06f:  // isb
      return {Kind::does_nothing, "", 4, 0};
    default:
      break;
  }
  if ((word & 0xff000000) == 0xea000000) {
    return {Kind::jumps, "B", 4, sign_extend(word & 0xffffff, 24) * 4 + 8};
  }
  return {};
}

/// Thumb encodings of one halfword, and B.W of two.
PlainInstruction decode_thumb(std::uint16_t first, std::uint16_t second) {
  switch (first) {
    case 0xbf30:
      return {Kind::waits_for_interrupt, "WFI", 2, 0};
    case 0xbf20:
      return {Kind::waits_for_event, "WFE", 2, 0};
    case 0xbf00:  // nop
    case 0xbf10:  // yield
    case 0x46c0:  // mov r8, r8
      return {Kind::does_nothing, "", 2, 0};
    default:
      break;
  }
  if ((first & 0xf800) == 0xe000) {
    return {Kind::jumps, "B", 2, sign_extend(first & 0x7ffU, 11) * 2 + 4};
  }
  if ((first & 0xf800) == 0xf000 && (second & 0xd000) == 0x9000) {  // T4
    const std::uint32_t s = first >> 10 & 1;
    const std::uint32_t i1 = ~((second >> 13 & 1U) ^ s) & 1;
    const std::uint32_t i2 = ~((second >> 11 & 1U) ^ s) & 1;
    const std::uint32_t value = s << 24 | i1 << 23 | i2 << 22 | (first & 0x3ffU) << 12 | (second & 0x7ffU) << 1;
    return {Kind::jumps, "B", 4, sign_extend(value, 25) + 4};
  }
  if (first == 0xf3bf && (second & 0xff00) == 0x8f00) {  // dsb, dmb, isb
    return {Kind::does_nothing, "", 4, 0};
  }
  return {};
}

std::optional<PlainInstruction> decode_at(VirtMemory& memory, GuestVirt at, bool thumb) {
  if (!thumb) {
    const auto word = memory.read_value<std::uint32_t>(at);
    return word ? std::optional(decode_arm(*word)) : std::nullopt;
  }
  const auto first = memory.read_value<std::uint16_t>(at);
  if (!first) {
    return std::nullopt;
  }
  return decode_thumb(*first, memory.read_value<std::uint16_t>(at + 2).value_or(0));
}

/// The vector of a mode's exception: what it adds to the base, and what LR has beyond the instruction that took it.
struct Vector {
  std::uint32_t mode;
  std::uint64_t offset;
  std::uint64_t ahead;
  const char* name;
};
constexpr std::array<Vector, 3> kVectors = {{{kModeUnd, 0x4, 4, "undefined instruction"},
                                             {kModeAbt, 0xc, 4, "prefetch abort"},
                                             {kModeAbt, 0x10, 8, "data abort"}}};

/// The exception's return address is the vector itself, and the mode that it interrupted is the exception's own.
std::optional<Standstill> retaken(const RegisterFile& regs) {
  const auto pc = regs.get(kPc);
  const auto cpsr = regs.get(kCpsr);
  const auto bank = cpsr ? bank_of(*cpsr) : std::nullopt;
  if (!pc || !bank || !bank->spsr) {
    return std::nullopt;
  }
  const auto lr = regs.get(bank->lr);
  const auto spsr = regs.get(*bank->spsr);
  const std::uint64_t mode = *cpsr & kModeMask;
  for (const Vector& vector : kVectors) {
    // Xen leaves LR of a prefetch abort that it injects at the instruction itself (inject_pabt32_exception).
    const bool from_there = lr && (*lr == *pc || *lr == *pc + vector.ahead);
    if (mode == vector.mode && (*pc & 0x1f) == vector.offset && from_there && spsr && (*spsr & kModeMask) == mode) {
      const bool high = (regs.get(kSctlr).value_or(0) & kHighVectors) != 0 && *pc >= kHighVectorBase;
      return Standstill{Standstill::Kind::retakes_exception,
                        fmt::format("the {} at the {}vector {:#x} came from that vector: its lr and spsr say so",
                                    vector.name, high ? "high " : "", *pc),
                        std::nullopt};
    }
  }
  return std::nullopt;
}

}  // namespace

bool took_its_own_exception(const RegisterFile& regs) {
  return retaken(regs).has_value();
}

std::optional<Standstill> standstill(const CpuState& cpu, VirtMemory& memory) {
  const auto pc = cpu.regs.get(kPc);
  const auto cpsr = cpu.regs.get(kCpsr);
  if (!pc || !cpsr) {
    return std::nullopt;
  }
  const bool thumb = (*cpsr & kThumbBit) != 0;
  auto found = retaken(cpu.regs);
  if (!found) {
    found = find_standstill(
        GuestVirt(*pc), [&](GuestVirt at) { return decode_at(memory, at, thumb); },
        [&](GuestVirt at) { return decode_at(memory, at - (thumb ? 2U : 4U), thumb); });
  }
  if (found) {
    found->masked = (*cpsr & kIrqMasked) != 0;
  }
  return found;
}

std::optional<std::string> not_started(const CpuState& cpu, VirtMemory& memory) {
  const auto& regs = cpu.regs;
  const auto cpsr = regs.get(kCpsr);
  if (!cpsr || (*cpsr & ~kFlags) != kFreshCpsr || cpu.mmu_on || regs.get(kR0) != 0U) {
    return std::nullopt;
  }
  const std::uint64_t machine = regs.get(1).value_or(0);
  const std::uint64_t tree = regs.get(2).value_or(0);
  for (RegisterIndex i = kR0 + 3; i <= kLr; ++i) {
    if (regs.get(i).value_or(0) != 0) {
      return std::nullopt;
    }
  }
  const auto magic = memory.read_value<std::uint32_t>(GuestVirt(tree));
  if (machine != 0xffffffff || !magic || *magic != kDeviceTree) {
    return std::nullopt;
  }
  return fmt::format(
      "the registers are those of a new domain: r1 is ~0, r2 points to a device tree, the others are zero, CPSR is "
      "{:#x}",
      *cpsr);
}

}  // namespace xstack::arm32
