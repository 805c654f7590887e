// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/decode.h"

#include <fmt/format.h>

#include <array>

#include "arch/arm64/arm64.h"
#include "arch/arm64/prstatus.h"
#include "arch/arm64/registers.h"
#include "arch/arm64/vmsa.h"
#include "base/endian.h"

namespace xstack::arm64 {

namespace {

/// Byte offsets in the context. What stands before `cpsr` is the same in all of them.
struct Layout {
  std::size_t size;
  bool wide_status;  ///< CPSR and SPSR_EL1 have 64 bits
  std::size_t spsr_el1, sp_el0, sp_el1, elr_el1, sctlr, tcr, ttbr0, ttbr1;
};
constexpr Layout kOld{344, false, 268, 288, 296, 304, 312, 320, 328, 336};
constexpr Layout kNew{352, true, 272, 296, 304, 312, 320, 328, 336, 344};
constexpr std::size_t kX0Offset = 8;
constexpr std::size_t kPcOffset = 256;
constexpr std::size_t kCpsrOffset = 264;

constexpr std::uint64_t kSctlrBigEndianWalks = 1U << 25;  // SCTLR_EL1.EE

/// Fills in what depends on the mode: the live SP and which bank it is.
void choose_stack_pointer(CpuState& cpu, std::uint64_t pstate) {
  if ((pstate & kPstateAarch32) != 0) {
    // r13 and r15 of the AArch32 view; x13 is r13_usr (Arm ARM, "Mapping of general-purpose registers").
    cpu.regs.set(kSp, *cpu.regs.get(kX0 + 13) & 0xffff'ffff);
    return;
  }
  const bool el1h = (pstate & kPstateModeMask) == kModeEl1h;
  cpu.current_bank = el1h ? "EL1" : "EL0";
  cpu.regs.set(kSp, *cpu.regs.get(el1h ? kSpEl1 : kSpEl0));
}

}  // namespace

std::string mode_name(std::uint64_t pstate) {
  if ((pstate & kPstateAarch32) != 0) {
    return is_user_pstate(pstate) ? "EL0 AArch32" : fmt::format("AArch32 mode {:#x}", pstate & kPstateModeMask);
  }
  switch (pstate & kPstateModeMask) {
    case kModeEl0t:
      return "EL0t";
    case kModeEl1t:
      return "EL1t";
    case kModeEl1h:
      return "EL1h";
    default:
      return fmt::format("number {:#x}", pstate & kPstateModeMask);
  }
}

Result<CpuState> decode(const GuestIdentity& guest, const VcpuContext& vcpu) {
  if (vcpu.form == ContextForm::prstatus) {
    return decode_prstatus(vcpu);
  }
  static_cast<void>(guest);
  const std::span<const std::byte> bytes(vcpu.context);
  if (bytes.size() != kOld.size && bytes.size() != kNew.size) {
    return fail(Errc::bad_format,
                fmt::format("a vCPU context of {} bytes: arm64 has {} or {}", bytes.size(), kOld.size, kNew.size));
  }
  const Layout& at = bytes.size() == kOld.size ? kOld : kNew;
  const auto u64 = [&](std::size_t offset) { return load_le<std::uint64_t>(bytes.data() + offset); };
  const auto status = [&](std::size_t offset) {
    return at.wide_status ? u64(offset) : load_le<std::uint32_t>(bytes.data() + offset);
  };

  CpuState cpu;
  cpu.arch = &arm64_ops();
  for (RegisterIndex i = 0; i <= kLr; ++i) {
    cpu.regs.set(i, u64(kX0Offset + std::size_t{i} * 8));
  }
  const std::uint64_t pstate = status(kCpsrOffset);
  cpu.regs.set(kPc, u64(kPcOffset));
  cpu.regs.set(kPstate, pstate);
  cpu.regs.set(kSpsrEl1, status(at.spsr_el1));
  cpu.regs.set(kSpEl0, u64(at.sp_el0));
  cpu.regs.set(kSpEl1, u64(at.sp_el1));
  cpu.regs.set(kElrEl1, u64(at.elr_el1));
  cpu.regs.set(kSctlr, u64(at.sctlr));
  cpu.regs.set(kTcr, u64(at.tcr));
  cpu.regs.set(kTtbr0, u64(at.ttbr0));
  cpu.regs.set(kTtbr1, u64(at.ttbr1));

  cpu.mode = mode_name(pstate);
  cpu.user = is_user_pstate(pstate);
  choose_stack_pointer(cpu, pstate);
  const std::uint64_t sctlr = u64(at.sctlr);
  const std::uint64_t tcr = u64(at.tcr);
  cpu.mmu_on = (sctlr & 1) != 0;
  cpu.translations.push_back(make_translation(sctlr, tcr, u64(at.ttbr0), u64(at.ttbr1)));
  if (!cpu.mmu_on) {
    cpu.warnings.emplace_back("the MMU is off: addresses are physical");
  } else if (!half_config(tcr, 0, Half::high)) {
    cpu.warnings.push_back(fmt::format("TCR_EL1 {:#x} describes no kernel address space", tcr));
  }
  if (cpu.mmu_on && (sctlr & kSctlrBigEndianWalks) != 0) {
    cpu.warnings.emplace_back("SCTLR_EL1.EE is set: the guest is big-endian, which xstack does not read");
  }
  return cpu;
}

std::shared_ptr<const Translation> translation_with_root(const CpuState& cpu, GuestPhys root) {
  if (cpu.table_form) {
    return translation_of(*cpu.table_form, root);
  }
  return make_kernel_translation(cpu.regs.get(kTcr).value_or(0), root);
}

std::span<const TableForm> table_forms() {
  // CONFIG_ARM64_VA_BITS_* of arch/arm64/Kconfig, as defconfigs and distributions choose them. A kernel that is built
  // for 52 bits falls back to 48 (47 with 16K pages) where the processor has no more.
  static constexpr std::array<TableForm, 9> kForms = {{{0, 12, 48},
                                                       {0, 12, 39},
                                                       {0, 12, 52},
                                                       {0, 14, 47},
                                                       {0, 14, 52},
                                                       {0, 14, 48},
                                                       {0, 16, 48},
                                                       {0, 16, 52},
                                                       {0, 16, 42}}};
  return kForms;
}

std::shared_ptr<const Translation> translation_of(const TableForm& form, GuestPhys root) {
  HalfConfig half;
  half.enabled = true;
  half.granule_shift = form.granule_shift;
  half.va_bits = form.va_bits;
  // More than 48 bits, but of 64K pages, is LPA2 (FEAT_LPA2; arch/arm64/mm/proc.S sets TCR.DS for no other reason). The
  // descriptors of 64K pages have bits 51:48 of an address where smaller ones have zeros.
  half.lpa2 = form.va_bits > 48 && form.granule_shift != 16;
  half.wide_64k = form.granule_shift == 16;
  half.root = root.value;
  return make_kernel_translation(half);
}

}  // namespace xstack::arm64
