// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kernel.h"

#include "linux/linux_kernel.h"

namespace xstack {

Result<std::unique_ptr<Kernel>> Kernel::look_round(const KernelInputs& inputs) {
  auto kernel = std::make_unique<LinuxKernel>(inputs);
  kernel->search(inputs);
  return kernel;
}

}  // namespace xstack
