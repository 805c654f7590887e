// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/detect.h"

#include <fmt/format.h>

#include "arch/arm32/context.h"
#include "arch/arm32/registers.h"

namespace xstack {
namespace {

enum class Verdict : std::uint8_t { kernel32, kernel64, open };

struct Finding {
  Verdict verdict = Verdict::open;
  std::string why;
  bool proof = false;  ///< the mode itself says it; all else is a hint
};

/// What one vCPU says. USR (0x10) is the one AArch32 mode that a 64-bit kernel's vCPU can be in too (a 32-bit program),
/// and what Xen fills in besides the mode tells the two apart: xen/arch/arm/arm64/domain.c copies sp_el0, sp_el1 and
/// elr_el1 for 64-bit domains only.
Finding judge(const VcpuContext& vcpu) {
  const auto context = arm32::read_context(vcpu.context);
  if (!context) {
    return {};
  }
  const std::uint64_t mode = context->cpsr & arm32::kModeMask;
  if ((mode & 0x10) == 0) {
    return {Verdict::kernel64, fmt::format("vCPU {} is in a 64-bit mode (PSTATE {:#x})", vcpu.id, context->cpsr), true};
  }
  if (mode != arm32::kModeUsr) {
    const auto bank = arm32::bank_of(mode);
    return {bank ? Verdict::kernel32 : Verdict::open,
            fmt::format("vCPU {} is in 32-bit {} mode (CPSR {:#x})", vcpu.id, bank ? bank->mode : "?", context->cpsr),
            bank.has_value()};
  }
  const auto hint = [&](Verdict verdict, const char* what) {
    return Finding{verdict, fmt::format("vCPU {} is in a 32-bit program, but {}", vcpu.id, what), false};
  };
  if (context->sp_el1 != 0 || context->elr_el1 != 0) {
    return hint(Verdict::kernel64, "has a 64-bit kernel's SP_EL1 or ELR_EL1");
  }
  if (context->ttbcr >> 32 != 0) {
    return hint(Verdict::kernel64, "its TCR is wider than 32 bits");
  }
  // T0SZ has three bits in TTBCR and is at least 12 in TCR_EL1; bits 3..6 are zero in a TTBCR with EAE.
  const bool extended = (context->ttbcr >> 31 & 1) != 0;
  if ((extended && (context->ttbcr & 0x78) != 0) || (!extended && (context->ttbcr & ~std::uint64_t{0x37}) != 0)) {
    return hint(Verdict::kernel64, "its TCR has no TTBCR's form");
  }
  if (extended || context->ttbr0 != 0) {
    return {Verdict::kernel32,
            fmt::format("vCPU {} is in USR mode with a TTBCR's form in TCR and no 64-bit register set", vcpu.id),
            false};
  }
  return {};
}

}  // namespace

Result<ArchGuess> detect_arm(const GuestIdentity& guest, std::span<const VcpuContext> vcpus) {
  Finding best;
  for (const VcpuContext& vcpu : vcpus) {
    Finding found = judge(vcpu);
    if (found.verdict == Verdict::open) {
      continue;
    }
    if (found.proof) {
      best = std::move(found);
      break;
    }
    if (best.verdict == Verdict::open || (best.verdict == Verdict::kernel32 && found.verdict == Verdict::kernel64)) {
      best = std::move(found);  // the signs of a 64-bit kernel are things set, those of a 32-bit one things not set
    }
  }
  const bool xen64 = guest.capabilities && guest.capabilities->find("aarch64") != std::string::npos;
  const bool xen32 = guest.capabilities && !xen64 && guest.capabilities->find("armv7") != std::string::npos;
  if (!best.proof && xen32) {
    return ArchGuess{ArchId::arm32, "Xen itself is a 32-bit one"};
  }
  if (!best.proof && xen64 && guest.capabilities->find("armv7") == std::string::npos) {
    return ArchGuess{ArchId::arm64, "Xen runs 64-bit guests only"};
  }
  switch (best.verdict) {
    case Verdict::kernel32:
      return ArchGuess{ArchId::arm32, (best.proof ? "" : "a guess: ") + best.why};
    case Verdict::kernel64:
      return ArchGuess{ArchId::arm64, (best.proof ? "" : "a guess: ") + best.why};
    case Verdict::open:
      break;
  }
  if (vcpus.empty()) {
    return fail(Errc::not_found, "no vCPU has registers to tell the architecture from");
  }
  return fail(Errc::not_found, "no vCPU's registers tell a 32-bit kernel from a 64-bit one");
}

}  // namespace xstack
