// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/standstill.h"

#include <array>
#include <cstring>

#include "arch/x86/registers.h"
#include "base/endian.h"

namespace xstack::x86 {
namespace {

using Kind = PlainInstruction::Kind;

constexpr std::uint64_t kInterruptsOn = 1U << 9;           // EFLAGS.IF
constexpr std::uint32_t kHvmStartMagic = 0x336ec578;       // XEN_HVM_START_MAGIC_VALUE
constexpr std::string_view kPvStartMagic = "xen-3.0-x86";  // start_info.magic: "xen-3.0-x86_64", "xen-3.0-x86_32p"

/// The few encodings that do nothing, wait or jump (Intel SDM, volume 2).
std::optional<PlainInstruction> decode_at(VirtMemory& memory, GuestVirt at) {
  std::array<std::byte, 5> bytes{};
  const auto n = memory.read_some(at, bytes);
  if (!n) {
    return std::nullopt;
  }
  const auto byte = [&](std::size_t i) { return i < *n ? std::to_integer<unsigned>(bytes.at(i)) : 0U; };
  switch (byte(0)) {
    case 0xf4:
      return PlainInstruction{Kind::waits_for_interrupt, "HLT", 1, 0};
    case 0x90:  // nop
    case 0xfa:  // cli
      return PlainInstruction{Kind::does_nothing, "", 1, 0};
    case 0xf3:  // pause
      return byte(1) == 0x90 ? PlainInstruction{Kind::does_nothing, "", 2, 0} : PlainInstruction{};
    case 0xeb:
      return *n >= 2 ? PlainInstruction{Kind::jumps, "JMP", 2, sign_extend(byte(1), 8) + 2} : PlainInstruction{};
    case 0xe9:
      return *n >= 5 ? PlainInstruction{Kind::jumps, "JMP", 5,
                                        sign_extend(load_le<std::uint32_t>(bytes.data() + 1), 32) + 5}
                     : PlainInstruction{};
    default:
      return PlainInstruction{};
  }
}

/// Instructions have no fixed length, so that one byte before pc proves little: what counts is HLT behind the STI or
/// CLI that goes with it.
std::optional<PlainInstruction> halt_before(VirtMemory& memory, GuestVirt pc) {
  std::array<std::byte, 2> bytes{};
  if (pc.value < 2 || !memory.read(pc - 2, bytes) || bytes[1] != std::byte{0xf4} ||
      (bytes[0] != std::byte{0xfb} && bytes[0] != std::byte{0xfa})) {
    return std::nullopt;
  }
  return PlainInstruction{Kind::waits_for_interrupt, bytes[0] == std::byte{0xfb} ? "HLT behind STI" : "HLT behind CLI",
                          1, 0};
}

struct Registers {
  RegisterIndex first, last, sp, pc, flags, start_info_hvm, start_info_pv;
};

Registers registers_of(const CpuState& cpu) {
  return cpu.arch->word_size == 8 ? Registers{kRax, kR15, kRsp, kRip, kRflags, kRbx, kRsi}
                                  : Registers{kEax, kEsp, kEsp, kEip, kEflags, kEbx, kEsi};
}

}  // namespace

std::optional<Standstill> standstill(GuestType type, const CpuState& cpu, VirtMemory& memory) {
  const Registers of = registers_of(cpu);
  const auto pc = cpu.regs.get(of.pc);
  if (!pc) {
    return std::nullopt;
  }
  auto found = find_standstill(
      GuestVirt(*pc), [&](GuestVirt at) { return decode_at(memory, at); },
      [&](GuestVirt at) { return halt_before(memory, at); });
  // A PV kernel runs with EFLAGS.IF set always; whether it takes events is a byte of its vcpu_info.
  if (const auto flags = cpu.regs.get(of.flags); found && flags && type != GuestType::pv) {
    found->masked = (*flags & kInterruptsOn) == 0;
  }
  return found;
}

std::optional<std::string> not_started(GuestType type, const CpuState& cpu, VirtMemory& memory) {
  const Registers of = registers_of(cpu);
  const bool pv = type == GuestType::pv;
  const RegisterIndex start_info = pv ? of.start_info_pv : of.start_info_hvm;
  if (!pv && cpu.mmu_on) {
    return std::nullopt;
  }
  for (RegisterIndex i = of.first; i <= of.last; ++i) {
    if (i != start_info && i != of.sp && cpu.regs.get(i).value_or(0) != 0) {
      return std::nullopt;
    }
  }
  std::array<std::byte, 16> bytes{};
  if (!memory.read(GuestVirt(cpu.regs.get(start_info).value_or(0)), bytes)) {
    return std::nullopt;
  }
  if (pv) {
    return std::memcmp(bytes.data(), kPvStartMagic.data(), kPvStartMagic.size()) == 0
               ? std::optional<std::string>(
                     "the registers are those of a new domain: rsi points to start_info, all but rsp are zero else")
               : std::nullopt;
  }
  return load_le<std::uint32_t>(bytes.data()) == kHvmStartMagic
             ? std::optional<std::string>(
                   "the registers are those of a new domain: ebx points to hvm_start_info, the others are zero, there "
                   "is "
                   "no paging")
             : std::nullopt;
}

}  // namespace xstack::x86
