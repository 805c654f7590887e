// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/detect.h"

#include <array>
#include <optional>
#include <string>

#include "arch/x86/context.h"
#include "arch/x86/registers.h"

namespace xstack {
namespace {

using namespace x86;

constexpr std::uint64_t kCr0Paging = 1ULL << 31;
constexpr std::uint64_t kCr4Pae = 1U << 5;
constexpr std::uint64_t kCr4La57 = 1U << 12;
constexpr std::uint64_t kCr4Pcide = 1U << 17;

/// CR4 bits that only long mode uses, and a CR3 that only PAE paging outside of it can hold: its table of four
/// entries is aligned to 32 bytes, where long mode's tables are aligned to pages (bits 3 and 4 are cache control).
std::optional<ArchGuess> width_of_paging(const Context& context) {
  constexpr std::uint64_t kSubPage = 0xfe0;
  if ((context.ctrlreg[4] & (kCr4La57 | kCr4Pcide)) != 0) {
    return ArchGuess{ArchId::x86_64, "CR4 has LA57 or PCIDE, which only long mode uses"};
  }
  if ((context.ctrlreg[3] & kSubPage) != 0) {
    return ArchGuess{ArchId::x86_32, "CR3 is no page's address, as only PAE paging without long mode has it"};
  }
  return std::nullopt;
}

/// What Linux's own selectors say of its width (__KERNEL_CS, __USER_CS, __USER32_CS and the data segments beside them,
/// arch/x86/include/asm/segment.h; unchanged since 2.6). Weaker than what the processor says. A 64-bit kernel's own
/// are not asked for: they are a 32-bit one's at boot, and its rip has told already.
std::optional<ArchGuess> width_of_selectors(const Context& context) {
  struct Pair {
    std::uint16_t cs, ss;
    ArchId id;
    const char* why;
  };
  static constexpr std::array kPairs = {
      Pair{0x73, 0x7b, ArchId::x86_32, "CS and SS are the user segments of a 32-bit Linux"},
      Pair{0x60, 0x68, ArchId::x86_32, "CS and SS are the kernel segments of a 32-bit Linux"},
      Pair{0x33, 0x2b, ArchId::x86_64, "CS and SS are the user segments of a 64-bit Linux"},
      Pair{0x23, 0x2b, ArchId::x86_64, "CS and SS are the segments of 32-bit programs on a 64-bit Linux"},
  };
  for (const Pair& pair : kPairs) {
    if (context.cs == pair.cs && context.ss == pair.ss) {
      return ArchGuess{pair.id, pair.why};
    }
  }
  return std::nullopt;
}

/// What one HVM vCPU proves about its kernel's width; nothing when it proves nothing (not started, real mode).
std::optional<ArchGuess> width_of_hvm(const Context& context, const std::optional<HvmRecord>& record) {
  const auto& cr = context.ctrlreg;
  if (record && record->long_mode()) {
    return ArchGuess{ArchId::x86_64, "EFER.LMA is set"};
  }
  if (context.rip >> 32 != 0 || context.general[kRsp] >> 32 != 0) {
    return ArchGuess{ArchId::x86_64, "a vCPU's rip or rsp is above 4 GiB"};
  }
  if (context.gs_base_kernel >> 32 != 0) {
    return ArchGuess{ArchId::x86_64, "the kernel's gs base is above 4 GiB"};
  }
  // Linux's selectors differ: __KERNEL_CS and __USER_CS of arch/x86/include/asm/segment.h are 0x60 and 0x73 on 32-bit
  // kernels; on 64-bit ones 0x60 and 0x70 are no code segments.
  if (!record && (cr[0] & kCr0Paging) != 0 && (context.cs == 0x60 || context.cs == 0x73)) {
    return ArchGuess{ArchId::x86_32, "the code segment is that of a 32-bit Linux"};
  }
  if ((cr[0] & kCr0Paging) == 0) {
    return std::nullopt;
  }
  if (record) {
    return ArchGuess{ArchId::x86_32, "paging is on and EFER.LMA is clear"};
  }
  if ((cr[4] & kCr4Pae) == 0) {
    return ArchGuess{ArchId::x86_32, "paging is on without CR4.PAE"};
  }
  if (context.rip >= 0x8000'0000 && (context.cs & 3) == 0) {
    return ArchGuess{ArchId::x86_32, "ring 0 runs in the upper half of 4 GiB"};
  }
  if (auto width = width_of_paging(context)) {
    return width;
  }
  return width_of_selectors(context);
}

}  // namespace

Result<ArchGuess> detect_x86(const GuestIdentity& guest, std::span<const VcpuContext> vcpus) {
  std::optional<Error> problem;
  std::optional<ArchGuess> narrow;
  bool any = false;
  for (const VcpuContext& vcpu : vcpus) {
    if (vcpu.context.empty()) {
      continue;
    }
    const bool record = vcpu.form == ContextForm::hvm_record;
    const auto context = record ? context_of_hvm_record(vcpu.context) : parse_context(guest.type, vcpu.context);
    if (!context) {
      problem = context.error();
      continue;
    }
    any = true;
    if (context->compat) {
      return ArchGuess{ArchId::x86_32, "the vCPU context has the layout of a 32-bit PV guest"};
    }
    if (guest.type == GuestType::pv) {
      return ArchGuess{ArchId::x86_64, "the vCPU context has the layout of a 64-bit PV guest"};
    }
    if (auto width = width_of_hvm(*context, parse_hvm_record(record ? vcpu.context : vcpu.hvm_record))) {
      if (width->id == ArchId::x86_64) {
        return *width;
      }
      narrow = std::move(width);
    }
  }
  if (narrow) {
    return *narrow;
  }
  if (any) {
    return ArchGuess{ArchId::x86_64, "a guess: no vCPU shows how wide the kernel is"};
  }
  if (problem) {
    return tl::unexpected(*problem);
  }
  return fail(Errc::not_found, "no vCPU has registers");
}

}  // namespace xstack
