// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/detect.h"

#include "arch/arch.h"
#include "arch/x86/detect.h"

namespace xstack {

Result<ArchGuess> detect_arch(const GuestIdentity& guest, std::span<const VcpuContext> vcpus,
                              std::optional<ArchId> hint) {
  if (hint) {
    return ArchGuess{*hint, "as asked for"};
  }
  if (guest.type == GuestType::arm) {
    return detect_arm(guest, vcpus);
  }
  return detect_x86(guest, vcpus);
}

}  // namespace xstack
