// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/standstill.h"

#include <fmt/format.h>

#include "arch/arm64/instructions.h"
#include "arch/arm64/registers.h"

namespace xstack::arm64 {
namespace {

using Kind = PlainInstruction::Kind;

constexpr std::uint64_t kIrqMasked = 1U << 7;       // PSTATE.I
constexpr std::uint64_t kFreshPstate = 0x1c5;       // PSR_GUEST64_INIT, public/arch-arm.h: EL1h, A, I and F masked
constexpr std::uint64_t kFreshPstateDebug = 0x3c5;  // the same with D
constexpr std::uint64_t kFlags = 0xf000'0000;       // N, Z, C, V
constexpr std::uint32_t kDeviceTree = 0xedfe0dd0;   // 0xd00dfeed, big-endian
constexpr std::uint64_t kVectorTable = 0x800;       // bytes; VBAR_EL1 is aligned to it
constexpr std::uint64_t kSynchronousEl1h = 0x200;   // the entry for exceptions from EL1 with SP_EL1

PlainInstruction decode(std::uint32_t word) {
  if (word == 0xd503'207f) {
    return {Kind::waits_for_interrupt, "WFI", 4, 0};
  }
  if (word == 0xd503'205f) {
    return {Kind::waits_for_event, "WFE", 4, 0};
  }
  // Other hints (nop, yield, bti, ...) and barriers (Arm ARM C4.1.66); pointer authentication changes a register.
  const bool hint = word == 0xd503'201f || word == 0xd503'203f || (word & 0xffff'ff3f) == 0xd503'241f;
  const bool barrier = (word & 0xffff'f01f) == 0xd503'301f && (word >> 5 & 7) >= 4 && (word >> 5 & 7) <= 6;
  if (hint || barrier) {
    return {Kind::does_nothing, "", 4, 0};
  }
  if (const auto distance = branch_distance(word)) {
    return {Kind::jumps, "B", 4, *distance};
  }
  return {};
}

std::optional<PlainInstruction> decode_at(VirtMemory& memory, GuestVirt at) {
  const auto word = memory.read_value<std::uint32_t>(at);
  return word ? std::optional(decode(*word)) : std::nullopt;
}

}  // namespace

std::optional<Standstill> standstill(const CpuState& cpu, VirtMemory& memory) {
  const auto pc = cpu.regs.get(kPc);
  const auto pstate = cpu.regs.get(kPstate);
  if (!pc || !pstate || (*pstate & kPstateAarch32) != 0) {
    return std::nullopt;
  }
  std::optional<Standstill> found;
  const auto spsr = cpu.regs.get(kSpsrEl1);
  if (cpu.regs.get(kElrEl1) == *pc && *pc % kVectorTable == kSynchronousEl1h &&
      (*pstate & kPstateModeMask) == kModeEl1h && spsr && (*spsr & kPstateModeMask) == kModeEl1h) {
    found =
        Standstill{Standstill::Kind::retakes_exception,
                   fmt::format("pc and ELR_EL1 are both {:#x}, the vector of synchronous exceptions from EL1h", *pc),
                   std::nullopt};
  } else {
    found = find_standstill(
        GuestVirt(*pc), [&](GuestVirt at) { return decode_at(memory, at); },
        [&](GuestVirt at) { return decode_at(memory, at - 4); });
  }
  if (found) {
    found->masked = (*pstate & kIrqMasked) != 0;
  }
  return found;
}

std::optional<std::string> not_started(const CpuState& cpu, VirtMemory& memory) {
  const auto pstate = cpu.regs.get(kPstate);
  const std::uint64_t plain = pstate.value_or(0) & ~kFlags;
  if ((plain != kFreshPstate && plain != kFreshPstateDebug) || cpu.mmu_on) {
    return std::nullopt;
  }
  for (RegisterIndex i = kX0 + 1; i <= kSp; ++i) {
    if (cpu.regs.get(i).value_or(0) != 0) {
      return std::nullopt;
    }
  }
  const auto magic = memory.read_value<std::uint32_t>(GuestVirt(cpu.regs.get(kX0).value_or(0)));
  if (!magic || *magic != kDeviceTree) {
    return std::nullopt;
  }
  return fmt::format(
      "the registers are those of a new domain: x0 points to a device tree, the others are zero, PSTATE is {:#x}",
      *pstate);
}

}  // namespace xstack::arm64
