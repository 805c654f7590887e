// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/detect.h"

namespace xstack {

Result<ArchGuess> detect_arm(const GuestIdentity& guest, std::span<const VcpuContext> vcpus) {
  (void)guest;
  (void)vcpus;
  return fail(Errc::unsupported, "not built yet");
}

}  // namespace xstack
