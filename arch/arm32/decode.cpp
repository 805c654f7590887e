// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/decode.h"

#include <fmt/format.h>

#include "arch/arm32/arm32.h"
#include "arch/arm32/context.h"
#include "arch/arm32/prstatus.h"
#include "arch/arm32/registers.h"
#include "arch/arm32/translations.h"

namespace xstack::arm32 {
namespace {

constexpr std::uint64_t kLow32 = 0xffffffff;

/// Where x13..x30 keep a 32-bit guest's banks (arch-arm.h, `__DECL_REG`); x15 is sp_hyp, which no guest has.
struct Slot {
  std::size_t x;
  RegisterIndex reg;
};
constexpr Slot kSlots[] = {{13, kSpUsr}, {14, kLrUsr}, {16, kLrIrq}, {17, kSpIrq}, {18, kLrSvc}, {19, kSpSvc},
                           {20, kLrAbt}, {21, kSpAbt}, {22, kLrUnd}, {23, kSpUnd}, {29, kSpFiq}, {30, kLrFiq}};

/// A 32-bit Xen leaves lr_fiq out when it copies registers (xen/arch/arm/arm32/domain.c names sp_fiq twice instead).
void judge_lr_fiq(const GuestIdentity& guest, CpuState& cpu) {
  if (guest.capabilities && guest.capabilities->find("aarch64") != std::string::npos) {
    return;
  }
  if (guest.capabilities) {
    cpu.regs.forget(kLrFiq);
    cpu.notes.emplace_back("lr_fiq is not known: a 32-bit Xen never reports it");
  } else if (cpu.regs.get(kLrFiq) == 0U) {
    cpu.regs.forget(kLrFiq);
    cpu.notes.emplace_back("lr_fiq is not known: it reads as 0, as a 32-bit Xen, which never reports it, leaves it");
  }
}

}  // namespace

Result<CpuState> decode(const GuestIdentity& guest, const VcpuContext& vcpu) {
  if (vcpu.form == ContextForm::prstatus) {
    return decode_prstatus(vcpu);
  }
  const auto context = read_context(vcpu.context);
  if (!context) {
    return fail(Errc::bad_format, fmt::format("vCPU {}: a context of {} bytes is none that Xen has on ARM", vcpu.id,
                                              vcpu.context.size()));
  }
  CpuState cpu;
  cpu.arch = &arm32_ops();
  auto& regs = cpu.regs;
  for (RegisterIndex i = 0; i <= 12; ++i) {
    regs.set(i, context->x[i] & kLow32);
  }
  for (RegisterIndex i = 0; i < 5; ++i) {
    regs.set(static_cast<RegisterIndex>(kR8Usr + i), context->x[8U + i] & kLow32);
    regs.set(static_cast<RegisterIndex>(kR8Fiq + i), context->x[24U + i] & kLow32);
  }
  for (const Slot& slot : kSlots) {
    regs.set(slot.reg, context->x[slot.x] & kLow32);
  }
  regs.set(kPc, context->pc & kLow32);
  regs.set(kCpsr, context->cpsr & kLow32);
  regs.set(kSpsrSvc, context->spsr_svc & kLow32);
  regs.set(kSpsrFiq, context->spsr_fiq);
  regs.set(kSpsrIrq, context->spsr_irq);
  regs.set(kSpsrUnd, context->spsr_und);
  regs.set(kSpsrAbt, context->spsr_abt);
  regs.set(kSctlr, context->sctlr & kLow32);
  regs.set(kTtbcr, context->ttbcr & kLow32);
  regs.set(kTtbr0, context->ttbr0);
  regs.set(kTtbr1, context->ttbr1);
  judge_lr_fiq(guest, cpu);

  const std::uint64_t mode = context->cpsr & kModeMask;
  if (const auto bank = bank_of(mode)) {
    cpu.mode = bank->mode;
    cpu.current_bank = bank->name;
    regs.set(kSp, *regs.get(bank->sp));
    if (const auto lr = regs.get(bank->lr)) {
      regs.set(kLr, *lr);
    }
    if (mode == kModeFiq) {
      for (RegisterIndex i = 0; i < 5; ++i) {
        regs.set(static_cast<RegisterIndex>(kR8 + i), *regs.get(static_cast<RegisterIndex>(kR8Fiq + i)));
      }
    }
  } else {
    cpu.mode = fmt::format("number {:#x}", mode);
    cpu.warnings.push_back(fmt::format("mode {:#x} has no stack pointer that Xen reports", mode));
  }
  cpu.user = mode == kModeUsr;
  cpu.mmu_on = (context->sctlr & 1U) != 0;
  cpu.translations = translations_of(regs);
  return cpu;
}

}  // namespace xstack::arm32
