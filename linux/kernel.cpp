// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kernel.h"

namespace xstack {

Result<std::unique_ptr<Kernel>> Kernel::look_round(const KernelInputs& inputs) {
  (void)inputs;
  return fail(Errc::unsupported, "not built yet");
}

}  // namespace xstack
