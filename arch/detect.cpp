// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/detect.h"

#include <fmt/format.h>

#include <utility>

#include "arch/arch.h"
#include "arch/x86/detect.h"
#include "guest/prstatus.h"

namespace xstack {
namespace {

Result<ArchGuess> arch_of_prstatus(std::size_t size) {
  static constexpr std::pair<std::size_t, ArchId> kSizes[] = {{prstatus::kX86_32, ArchId::x86_32},
                                                              {prstatus::kArm32, ArchId::arm32},
                                                              {prstatus::kX86_64, ArchId::x86_64},
                                                              {prstatus::kArm64, ArchId::arm64}};
  for (const auto& [known, id] : kSizes) {
    if (known == size) {
      return ArchGuess{id, fmt::format("its registers are an NT_PRSTATUS of {} bytes", size)};
    }
  }
  return fail(Errc::unsupported,
              fmt::format("registers in an NT_PRSTATUS of {} bytes: of no architecture known here", size));
}

}  // namespace

Result<ArchGuess> detect_arch(const GuestIdentity& guest, std::span<const VcpuContext> vcpus,
                              std::optional<ArchId> hint) {
  if (hint) {
    return ArchGuess{*hint, "as asked for"};
  }
  for (const VcpuContext& vcpu : vcpus) {
    if (vcpu.form == ContextForm::prstatus && !vcpu.context.empty()) {
      return arch_of_prstatus(vcpu.context.size());
    }
  }
  if (guest.type == GuestType::arm) {
    return detect_arm(guest, vcpus);
  }
  return detect_x86(guest, vcpus);
}

}  // namespace xstack
